"""What `ngs doctor` asks of this machine.

`finding` says what an answer is. `libraries`, `rendering` and `live` hold the probes, and `probes` lists them all.
Each runs in a process of its own (`__main__`), so that a library that prints, crashes or hangs spoils no other answer.
"""
