# environment.sh: what tests/run and tests/bench/run build and bring in. Sourced by bash after services/kafka/start.sh,
# with the tree's folder in $tree.

build_preset() { # PRESET
    # Two runs at once build one after the other; the lock is on the source folder itself.
    (flock 9 && cmake --preset "$1" && cmake --build --preset "$1") 9<"$tree"
}

# Prints the folder of a virtual environment that has what requirements.txt pins; made once, in the cache.
python_environment() {
    local pins=$tree/tests/support/requirements.txt folder partial
    folder=$plumbline_cache/python-$( (python3 --version; cat "$pins") | sha256sum | cut -c 1-16)
    if [ ! -x "$folder/bin/python" ]; then
        mkdir -p "$plumbline_cache" || return 1
        partial=$(mktemp -d "$folder.partial.XXXXXX") || return 1
        { python3 -m venv "$partial" &&
            "$partial/bin/python" -m pip --quiet --disable-pip-version-check install --no-deps -r "$pins"; } >&2 &&
            mv -T "$partial" "$folder" 2>/dev/null
        rm -rf "$partial"   # another run was faster
        [ -x "$folder/bin/python" ] || return 1
    fi
    printf '%s\n' "$folder"
}
