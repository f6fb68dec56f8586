"""`ngs render [BUNDLE] FORM`: sound from a bundle to WAV or FLAC files.

`group` is the command and reads the bundle in front of the form, `job` holds what all forms have in common, and `forms`
are the forms.
"""
