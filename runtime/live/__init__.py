"""What live sound needs besides a bundle: the streaming contract, timed commands, and a thread with its ring buffer.

`stream` is the contract, `schedule` the commands with times, `worker` the thread, `realtime` its priority, `ring` the
buffer between that thread and the host's callback, `resampling` soxr in blocks.
"""
