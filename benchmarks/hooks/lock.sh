# A plain lock script, as many guests have one: a session per database holds its lock through the
# freeze. MARIADB and PSQL are their clients.

hold() { # hold NAME STATEMENTS CLIENT...: until the process of that name is killed
    place=/run/lock-$1
    statements=$2
    shift 2
    : >"$place.out"
    sh -c 'echo $$ >"$0.pid"; echo "$1"; exec sleep 300' "$place" "$statements" |
        "$@" >"$place.out" 2>&1 &
    until grep -q held "$place.out"; do sleep 0.05; done
}

case $1 in
freeze)
    hold postgresql "SELECT pg_backup_start('lock', true); SELECT 'held';" $PSQL
    hold mariadb "FLUSH TABLES WITH READ LOCK; SELECT 'held';" $MARIADB
    ;;
thaw)
    kill "$(cat /run/lock-mariadb.pid)" "$(cat /run/lock-postgresql.pid)"
    ;;
esac
