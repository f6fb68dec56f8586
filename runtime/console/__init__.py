"""What every command line of ngs shares, the instruments' scripts among them.

`guard` turns errors into one line; `parameters` has the types of bundles and numbers. Two modules, so that
`ngs --help` imports no more than the first.
"""
