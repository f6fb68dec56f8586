"""What every command line of ngs shares, the instruments' scripts among them.

`guard` turns errors into one line; `parameters` has the types of bundles and numbers; `suggestions` finds what a
mistyped word may mean. `ngs --help` imports no more than the first.
"""
