"""The synth: notes with sample-accurate times in, sound out.

`controls` and `notes` are what it is told, `note_stream` how; a `voice` is one sounding note, made of a `playhead` on
the path, `grain_chance`, a `fifo` and `pan`; a `voice_batch` decodes voices together; `synth` plays them and `engine`
does so live.
"""
