"""A JUnit file as lines "ok|not-ok TAB name TAB seconds" for tests/run; a skipped test counts as failed.

usage: junit_lines.py FILE
"""
import sys
import xml.etree.ElementTree

for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    failed = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
    name = f"{case.get('classname').rsplit('.', 1)[-1]}::{case.get('name')}".removeprefix("::")
    print("not-ok" if failed else "ok", name, f"{float(case.get('time')):.1f}", sep="\t")
