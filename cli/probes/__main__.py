"""Run one probe and print what it finds as a line of JSON: python -P -m ngs.cli.probes NAME

Whatever libraries print meanwhile is dropped, on purpose.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from ngs.cli.probes.probes import PROBES, failed
from ngs.runtime.errors import one_line


def main(name: str) -> None:
    with os.fdopen(os.dup(1), "w") as report:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            finding = PROBES[name].run()
        except Exception as error:
            finding = failed(name, one_line(str(error)) or type(error).__name__)
        json.dump(asdict(finding), report)
    os._exit(0)  # libraries may hang when they are torn down


if __name__ == "__main__":
    main(sys.argv[1])
