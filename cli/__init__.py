"""The `ngs` command line: one thin module per group of commands, each imported only when it is called."""
