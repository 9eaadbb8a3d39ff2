# start.sh: one Kafka node and one Redis on this machine, for services/up and for the tests. Sourced by bash.
#
#   kafka_fetch                   get the jars into the cache, checked (nothing to do if they are there)
#   kafka_prepare FOLDER          choose ports, write the settings, format (nothing to do if FOLDER has them)
#   kafka_exec FOLDER             become the broker (exec); dies with its parent
#   kafka_wait FOLDER PID SECONDS until it answers; fails when PID ends before or time is up
#   kafka_bootstrap FOLDER        print host:port
#   redis_prepare, redis_exec, redis_wait, redis_url: the same for Redis
#
# A stopped node starts again from its folder, on the same port and with the same data, by another *_exec.
# Whoever starts one ends it: TERM (or KILL, its data survives that), then removes the folder.

kafka_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
plumbline_cache="${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/plumbline"

# Set port_chosen to a loopback port that nobody listens on and that this shell has not chosen before, outside the
# range that outgoing connections take theirs from.
ports_chosen=' '
port_choose() {
    while :; do
        port_chosen=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        [[ $ports_chosen != *" $port_chosen "* ]] && ! port_answers "$port_chosen" && break
    done
    ports_chosen="$ports_chosen$port_chosen "
}

port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# ---- Kafka

kafka_home() {
    local version
    version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$kafka_source/pom.xml")
    printf '%s/kafka-%s\n' "$plumbline_cache" "$version"
}

# The jars in folder $1 are exactly those of SHA256SUMS.
kafka_jars_are_right() {
    [ -d "$1" ] &&
        [ "$(cd "$1" && printf '%s\n' *.jar | LC_ALL=C sort)" = \
          "$(sed 's/^[0-9a-f]*  //' "$kafka_source/SHA256SUMS" | LC_ALL=C sort)" ] &&
        (cd "$1" && sha256sum --check --strict --quiet "$kafka_source/SHA256SUMS" >/dev/null 2>&1)
}

kafka_fetch() {
    local home partial
    home=$(kafka_home)
    kafka_jars_are_right "$home" && return 0
    mkdir -p "$plumbline_cache" || return 1
    (
        flock 9 || exit 1
        kafka_jars_are_right "$home" && exit 0   # another run was faster
        partial=$(mktemp -d "$home.partial.XXXXXX") || exit 1
        trap 'rm -rf "$partial"' EXIT
        # Maven writes beside its pom: give it a copy, so that the tree stays clean.
        cp "$kafka_source/pom.xml" "$partial/pom.xml" || exit 1
        mvn -B -ntp --strict-checksums -f "$partial/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$partial/jars" || exit 1
        if ! kafka_jars_are_right "$partial/jars"; then
            echo "the jars that came are not those of services/kafka/SHA256SUMS" >&2
            exit 1
        fi
        rm -rf "$home" && mv "$partial/jars" "$home"
    ) 9>"$plumbline_cache/kafka.lock"
}

# kafka_java HEAP LOG CLASS ARGUMENT…: what every use of the jars has in common.
kafka_java() {
    local heap=$1 log=$2
    shift 2
    set -- -cp "$(kafka_home)/*" "-Dkafka.log=$log" "-Dlog4j2.configurationFile=$kafka_source/log4j2.properties" "$@"
    exec java "-Xmx$heap" -XX:+UseSerialGC -Djava.awt.headless=true "$@"
}

kafka_prepare() {
    local folder=$1 port controller id
    [ -e "$folder/server.properties" ] && return 0
    mkdir -p "$folder" || return 1
    port_choose
    port=$port_chosen
    port_choose
    controller=$port_chosen
    sed -e "s|@FOLDER@|$folder|g" -e "s|@PORT@|$port|g" -e "s|@CONTROLLER_PORT@|$controller|g" \
        "$kafka_source/server.properties" >"$folder/server.properties.partial" || return 1
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '_-' | cut -c 1-22)
    id=${id/#-/A}   # a leading dash would be read as an option
    (kafka_java 128m "$folder/format.log" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format --standalone \
        --cluster-id "$id" --config "$folder/server.properties.partial") >"$folder/format.out" 2>&1 || return 1
    mv "$folder/server.properties.partial" "$folder/server.properties"
}

kafka_bootstrap() {
    sed -n 's|^advertised.listeners=PLAINTEXT://||p' "$1/server.properties"
}

kafka_exec() {
    local folder=$1
    [ ! -e "$folder/kafka.log" ] || mv "$folder/kafka.log" "$folder/kafka.log.previous"
    # shellcheck disable=SC2016
    exec setpriv --pdeathsig KILL -- bash -c '. "$1/start.sh" && kafka_java 512m "$2/kafka.log" \
        kafka.Kafka "$2/server.properties"' kafka "$kafka_source" "$folder" </dev/null >>"$folder/kafka.out" 2>&1
}

kafka_wait() {
    local folder=$1 pid=$2 seconds=$3 end=$((SECONDS + $3)) port
    port=$(kafka_bootstrap "$folder")
    port=${port##*:}
    while [ "$SECONDS" -le "$end" ]; do
        kill -0 "$pid" 2>/dev/null || return 1
        grep -qs 'Kafka Server started' "$folder/kafka.log" && port_answers "$port" && return 0
        sleep 0.1
    done
    echo "Kafka did not start within $seconds s" >&2
    return 1
}

# ---- Redis

redis_prepare() {
    local folder=$1
    [ -e "$folder/redis.conf" ] && return 0
    mkdir -p "$folder" || return 1
    port_choose
    cat >"$folder/redis.conf.partial" <<CONF
port $port_chosen
bind 127.0.0.1
dir "$folder"
logfile "$folder/redis.log"
daemonize no
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
CONF
    mv "$folder/redis.conf.partial" "$folder/redis.conf"
}

redis_port() {
    sed -n 's/^port //p' "$1/redis.conf"
}

redis_url() {
    printf 'redis://127.0.0.1:%s\n' "$(redis_port "$1")"
}

redis_exec() {
    exec setpriv --pdeathsig KILL -- redis-server "$1/redis.conf" </dev/null >>"$1/redis.out" 2>&1
}

redis_wait() {
    local folder=$1 pid=$2 seconds=$3 end=$((SECONDS + $3)) port reply
    port=$(redis_port "$folder")
    while [ "$SECONDS" -le "$end" ]; do
        kill -0 "$pid" 2>/dev/null || return 1
        reply=$( (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'PING\r\n' >&3 && head -c 5 <&3) 2>/dev/null)
        [ "$reply" = "+PONG" ] && return 0
        sleep 0.1
    done
    echo "Redis did not start within $seconds s" >&2
    return 1
}
