# fetch.sh: the schema registry of the tests into the cache, checked. Sourced by bash after services/kafka/start.sh.
#
#   apicurio_home     print the folder that it is unpacked into
#   apicurio_is_there it is
#   apicurio_fetch    get it (nothing to do if it is there)

apicurio_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

apicurio_home() {
    local version
    version=$(sed -n 's|.*<apicurio.version>\(.*\)</apicurio.version>.*|\1|p' "$apicurio_source/pom.xml")
    printf '%s/apicurio-%s\n' "$plumbline_cache" "$version"
}

# Unpacked in one piece: the folder is moved to its name when all of it is there.
apicurio_is_there() {
    [ -d "$(apicurio_home)" ]
}

apicurio_fetch() {
    local home partial
    home=$(apicurio_home)
    apicurio_is_there && return 0
    mkdir -p "$plumbline_cache" || return 1
    (
        flock 9 || exit 1
        apicurio_is_there && exit 0   # another run was faster
        partial=$(mktemp -d "$home.partial.XXXXXX") || exit 1
        trap 'rm -rf "$partial"' EXIT
        cp "$apicurio_source/pom.xml" "$partial/pom.xml" || exit 1
        mvn -B -ntp --strict-checksums -f "$partial/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$partial/archive" || exit 1
        if ! (cd "$partial/archive" && sha256sum --check --strict --quiet "$apicurio_source/SHA256SUMS"); then
            echo "the archive that came is not that of tests/support/apicurio/SHA256SUMS" >&2
            exit 1
        fi
        mkdir "$partial/whole" && tar -xzf "$partial"/archive/*.tar.gz -C "$partial/whole" || exit 1
        mv -T "$partial/whole" "$home"
    ) 9>"$plumbline_cache/apicurio.lock"
}
