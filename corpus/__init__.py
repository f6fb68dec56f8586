"""The sounds that a model is trained on, read from disk without torch.

`sounds` lists them with their classes, `reading` decodes one, `digests` recognises what did not change, and `cache`
keeps all of them decoded. `drum_synthesis` makes sounds to try things with; `words` puts counts and names in a line.
"""
