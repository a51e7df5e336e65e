"""Servers that keep data and have no driver here: named, so that no verdict forgets them.

Each has a row with what it is recognized by: the name of its program; or, for a program of several
servers (Java, Erlang), the class or the argument that makes that program this server. A word
somewhere in the arguments is not enough: an editor has that too.
"""

import os
from typing import Dict, NamedTuple, Sequence, Tuple

_JAVA_VALUES = ("-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules")
_JAVA_MAIN = ("-m", "--module")
_MOST_JAVA_ARGUMENTS = 2000


class Known(NamedTuple):
    """A server, and its marks of recognition."""

    name: str  # as a section for it may be called
    programs: Tuple[str, ...] = ()
    verbs: Tuple[str, ...] = ()  # only with one of these as first argument; () with any
    not_verbs: Tuple[str, ...] = ()  # modes of its program that are clients
    classes: Tuple[str, ...] = ()  # of Java: what it starts with
    arguments: Tuple[Tuple[str, ...], ...] = ()  # of its program: arguments in a row
    ending: str = ""  # of the path of its executable


_ERLANG = "beam.smp"
KNOWN: Tuple[Known, ...] = (
    Known("oracle", ("oracle",)),
    Known("sqlserver", ("sqlservr",)),
    Known(
        "hana",
        ("hdbdaemon", "hdbnameserver", "hdbindexserver", "hdbcompileserver", "hdbxsengine"),
    ),
    Known("sapase", ("dataserver",)),
    Known("sapiq", ("iqsrv15", "iqsrv16", "iqsrv17")),
    Known("sqlanywhere", ("dbsrv11", "dbsrv12", "dbsrv16", "dbsrv17", "dbeng16", "dbeng17")),
    Known("maxdb", ("kernel",), ending="/pgm/kernel"),
    Known("db2", ("db2sysc", "db2syscr")),
    Known("informix", ("oninit",)),
    Known("iris", ("irisdb",)),
    Known("cache", ("cache",), arguments=(("-s/",),)),
    Known("firebird", ("firebird", "fbserver", "fb_inet_server", "fb_smp_server")),
    Known("clickhouse", ("clickhouse-server", "clickhouse-keeper")),
    Known("clickhouse", ("clickhouse",), verbs=("server", "keeper", "su")),
    Known("influxdb", ("influxd", "influxdb3")),
    Known("cockroachdb", ("cockroach",), not_verbs=("sql", "workload", "init", "cert", "node")),
    Known("yugabytedb", ("yb-master", "yb-tserver")),
    Known("tidb", ("tidb-server", "tikv-server", "pd-server", "tiflash")),
    Known("scylla", ("scylla",)),
    Known("arangodb", ("arangod",)),
    Known("rethinkdb", ("rethinkdb",)),
    Known("aerospike", ("asd",)),
    Known("singlestore", ("memsqld",)),
    Known("dragonfly", ("dragonfly",)),
    Known("kvrocks", ("kvrocks",)),
    Known("ferretdb", ("ferretdb",)),
    Known("tdengine", ("taosd",)),
    Known("vertica", ("vertica",)),
    Known("monetdb", ("mserver5", "monetdbd")),
    Known("virtuoso", ("virtuoso-t",)),
    Known("victoriametrics", ("victoria-metrics", "victoria-metrics-prod", "vmstorage-prod")),
    Known("prometheus", ("prometheus",)),
    Known("nats", ("nats-server",)),
    Known("couchbase", ("cbq-engine", "goxdcr")),
    Known("couchbase", (_ERLANG,), arguments=(("child_start", "ns_bootstrap"),)),
    Known("couchdb", (_ERLANG,), arguments=(("-progname", "couchdb"), ("-s", "couch_app"))),
    Known("riak", (_ERLANG,), arguments=(("-progname", "riak"),)),
    Known("rabbitmq", (_ERLANG,), arguments=(("-s", "rabbit"),)),
    Known("cassandra", classes=("org.apache.cassandra.service.",)),
    Known("elasticsearch", classes=("org.elasticsearch.bootstrap.", "org.elasticsearch.server/")),
    Known("opensearch", classes=("org.opensearch.bootstrap.",)),
    Known("neo4j", classes=("org.neo4j.server.", "com.neo4j.server.")),
    Known("solr", ("java",), arguments=(("-Dsolr.solr.home=",), ("-Dsolr.install.dir=",))),
    Known("kafka", classes=("kafka.Kafka",)),
    Known("zookeeper", classes=("org.apache.zookeeper.server.",)),
    Known("hbase", classes=("org.apache.hadoop.hbase.master.", "org.apache.hadoop.hbase.region")),
    Known("hdfs", classes=("org.apache.hadoop.hdfs.server.",)),
    Known("activemq", classes=("org.apache.activemq.", "activemq.jar")),
    Known("h2", classes=("org.h2.tools.Server", "org.h2.tools.Console")),
    Known("hsqldb", classes=("org.hsqldb.Server", "org.hsqldb.server.")),
    Known("derby", classes=("org.apache.derby.drda.", "derbyrun.jar")),
    Known("ignite", classes=("org.apache.ignite.startup.",)),
    Known("orientdb", classes=("com.orientechnologies.orient.server.",)),
    Known("questdb", classes=("io.questdb/", "io.questdb.ServerMain")),
    Known("voltdb", classes=("org.voltdb.VoltDB",)),
)
_JAVA = "java"


def _by_program() -> Dict[str, Sequence[Known]]:
    found: Dict[str, Sequence[Known]] = {}
    for one in KNOWN:
        for program in (*one.programs, *([_JAVA] if one.classes else ())):
            found[program] = (*found.get(program, ()), one)
            found[program[:15]] = found[program]  # as the kernel cuts a name
    return found


_BY_PROGRAM = _by_program()
_ORACLE = "ora_pmon_"  # its processes are called by what they do, and whose


def may_be(program: str, file: str) -> bool:
    """True if a process with that name, or that executable, could be a known server."""
    return program in _BY_PROGRAM or file in _BY_PROGRAM or program.startswith(_ORACLE)


def needs_arguments(program: str, executable: str) -> bool:
    """True if name and path of the executable alone do not decide."""
    return any(
        one.verbs or one.not_verbs or one.arguments or one.classes
        for name in (program, os.path.basename(executable))
        for one in _BY_PROGRAM.get(name, ())
    )


def name_of(program: str, executable: str, arguments: Sequence[str]) -> str:
    """The server that a process is; "" for any other process.

    Args:
        program: the process's name.
        executable: the path of its file.
        arguments: its command line; () where its names tell enough.
    """
    for name in (program, os.path.basename(executable)):
        for one in _BY_PROGRAM.get(name, ()):
            if executable.endswith(one.ending) and _is(one, name, arguments):
                return one.name
    return "oracle" if program.startswith(_ORACLE) else ""


def _is(known: Known, name: str, arguments: Sequence[str]) -> bool:
    first = arguments[1] if len(arguments) > 1 else ""
    if known.classes and name == _JAVA:
        return _main_class(arguments).startswith(known.classes)
    if known.arguments:
        return any(_has(arguments, row) for row in known.arguments)
    return first in known.verbs if known.verbs else first not in known.not_verbs


def _has(arguments: Sequence[str], row: Sequence[str]) -> bool:
    """True if arguments in a row are these; an entry that ends in = : or / is a prefix."""
    places = range(1, len(arguments) - len(row) + 1)
    return any(
        all(_matches(arguments[at + number], word) for number, word in enumerate(row))
        for at in places
    )


def _matches(argument: str, word: str) -> bool:
    return argument.startswith(word) if word[-1] in "=:/" else argument == word


def _main_class(arguments: Sequence[str]) -> str:
    """The class, `module/class` or archive that Java starts; "" if the arguments do not name it.

    As java(1): options first, of which some have their value in the next argument.
    """
    rest = list(arguments[1:_MOST_JAVA_ARGUMENTS])
    while rest:
        word = rest.pop(0)
        if word in _JAVA_MAIN and rest:
            return rest[0]
        if word == "-jar" and rest:
            return rest[0].rpartition("/")[2]
        if word in _JAVA_VALUES and rest:
            rest.pop(0)
        elif not word.startswith(("-", "@")):
            return word
    return ""
