# What the sample for MySQL that comes with QEMU's agent does, in our words: a client whose input
# stays open as long as nobody writes into a FIFO holds the read lock; meanwhile one asks every second
# whether keys and log are flushed. PostgreSQL gets nothing. MARIADB is the client.

fifo=/run/flush.fifo

number() { # number STATEMENT PATTERN: the last word of the line with that pattern
    $MARIADB -e "$1" | sed 's/\\n/\n/g' | grep "$2" | awk '{ print $NF }'
}

case $1 in
freeze)
    mkfifo "$fifo" || exit 1
    {
        echo 'FLUSH TABLES WITH READ LOCK;'
        read -r _ <"$fifo"
        echo 'UNLOCK TABLES;'
        rm "$fifo"
    } | $MARIADB >/dev/null 2>&1 &
    while [ "$(number "SHOW STATUS LIKE 'Key_blocks_not_flushed'" Key)" -gt 0 ]; do sleep 1; done
    until
        state=$($MARIADB -e 'SHOW ENGINE INNODB STATUS' | sed 's/\\n/\n/g')
        written=$(echo "$state" | awk '/^Log sequence number/ { print $NF }')
        flushed=$(echo "$state" | awk '/^Log flushed up to/ { print $NF }')
        [ "$written" = "$flushed" ]
    do
        sleep 1
    done
    ;;
thaw)
    [ -p "$fifo" ] || exit 1
    echo >"$fifo"
    ;;
esac
