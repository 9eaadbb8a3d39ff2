"""The rules of the source that no compiler checks. One line a rule: "ok NAME" or "not ok NAME" after its findings.

usage: source_rules.py TREE

Goal: what a reader may rely on in every file (names, lengths, where memory and time come from) stays true.
Method: every file that git knows or would add is read once; comments and strings do not count as calls.
"""
import collections
import pathlib
import re
import subprocess
import sys

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 600
FIXED_NAMES = {"main.c", "options.def", "metrics.def", "CMakeLists.txt", "README.md", "DESIGN.md", "SHA256SUMS",
               "conftest.py", "__init__.py"}
BANNED_NAMES = {"util", "utils", "helper", "helpers", "misc", "base", "core", "manager", "handler", "data", "info",
                "tools", "new", "2"}
MEMORY_CALLS = (r"\b(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|"
                r"posix_memalign)\s*\(")
TIME_CALLS = (r"\b(time|clock|gettimeofday|clock_gettime|timespec_get|localtime|localtime_r|gmtime|gmtime_r|uv_now|"
              r"uv_hrtime|sleep|usleep|nanosleep)\s*\(")
# Written so that this file does not find itself.
UNFINISHED = r"\b(TO[D]O|FIX[M]E|X[X]X|not (yet )?implemente[d]|placeholde[r]|stu[b](bed)?)\b"
MACHINE = (r"(/wor[k]/|/tmp/bash_job[s]|/roo[t]/|deb\.debia[n]\.org|repo1?\.mave[n]|pyp[i]\.org|prox[y]\.golang|"
           r"registry\.npmj[s]|crates\.i[o]/api)")


def files(tree):
    listed = subprocess.run(["git", "-C", tree, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True,
                            check=True).stdout.decode().split("\0")
    return sorted({name for name in listed if name and (pathlib.Path(tree) / name).is_file()})


def text_of(tree, name):
    raw = (pathlib.Path(tree) / name).read_bytes()
    return None if b"\0" in raw else raw.decode("utf-8", "replace")


def code_only(text):
    """The text with comments and the insides of strings blanked; lines stay where they are."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def matches(sources, pattern, where=lambda name: True, flags=0):
    expression = re.compile(pattern, flags)
    return [f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group().strip()}"
            for name, text in sources.items() if where(name) for match in expression.finditer(text)]


def is_ours(name):
    return name.startswith(("common/", "services/")) and name.endswith((".c", ".h"))


def memory_rule(code):
    return matches(code, MEMORY_CALLS, lambda name: is_ours(name) and not name.startswith("common/memory/"))


def time_rule(code):
    return matches(code, TIME_CALLS, lambda name: is_ours(name) and not name.startswith("common/clock/"))


def basename_rule(names):
    places = collections.defaultdict(list)
    for name in names:
        base = name.rsplit("/", 1)[-1]
        if base not in FIXED_NAMES and name.endswith((".c", ".h", ".def", ".py", ".sh", ".avsc")):
            places[base].append(name)
    return [" and ".join(found) + " share a name" for found in places.values() if len(found) > 1]


def noun_rule(names):
    found = []
    for name in names:
        parts = name.split("/")
        stems = parts[1:-1] + [re.sub(r"\..*", "", parts[-1])]
        words = {word for stem in stems for word in stem.split("_")[-1:]}
        if name.startswith(("common/", "services/")) and words & BANNED_NAMES:
            found.append(f"{name}: {', '.join(sorted(words & BANNED_NAMES))} says nothing")
    return found


def function_rule(texts):
    found = []
    for name, text in texts.items():
        start = 0
        for number, line in enumerate(text.split("\n"), 1) if name.endswith(".c") else ():
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start:
                if number - start > FUNCTION_LINES_MAX:
                    found.append(f"{name}:{start}: a function of {number - start} lines")
                start = 0
    return found


def file_rule(texts):
    return [f"{name}: {text.count(chr(10))} lines" for name, text in texts.items()
            if name.endswith((".c", ".h", ".py")) and text.count("\n") > FILE_LINES_MAX]


def main():
    tree = sys.argv[1]
    names = files(tree)
    texts = {name: text for name in names if (text := text_of(tree, name)) is not None}
    code = {name: code_only(text) for name, text in texts.items() if name.endswith((".c", ".h"))}
    written = {name: text for name, text in texts.items() if name != "tests/support/source_rules.py"}
    rules = {
        "memory comes from common/memory": memory_rule(code),
        "time comes from common/clock": time_rule(code),
        "basenames are unique": basename_rule(names),
        "names are nouns that say something": noun_rule(names),
        "functions are at most 60 lines": function_rule(texts),
        "files are at most 600 lines": file_rule(texts),
        "nothing is unfinished by its own words": matches(
            written, UNFINISHED, lambda name: name.startswith(("common/", "services/", "schemas/", "tests/", "helm/")),
            re.IGNORECASE),
        "no file names a machine": matches(written, MACHINE),
    }
    for name, found in rules.items():
        for line in found[:20]:
            print(f"  {line}")
        print(("not ok " if found else "ok ") + name)
    return 1 if any(rules.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
