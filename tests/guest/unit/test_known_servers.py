import unittest
from typing import Sequence

from stillpoint_guest.discovery import known_servers

JAVA = "/usr/lib/jvm/java-17/bin/java"
BEAM = "/usr/lib/erlang/erts-13.1/bin/beam.smp"


class KnownServers(unittest.TestCase):
    def name(self, executable: str, arguments: Sequence[str] = (), program: str = "") -> str:
        called = program or executable.rpartition("/")[2][:15]
        if not known_servers.may_be(called, executable.rpartition("/")[2]):
            return ""
        return known_servers.name_of(called, executable, [executable, *arguments])

    def test_are_known_by_their_programs(self) -> None:
        for executable, name in (
            ("/opt/mssql/bin/sqlservr", "sqlserver"),
            ("/usr/sap/HDB/HDB00/exe/hdbindexserver", "hana"),
            ("/usr/sap/HDB/HDB00/exe/hdbcompileserver", "hana"),
            ("/home/db2inst1/sqllib/adm/db2sysc", "db2"),
            ("/u01/app/oracle/product/19c/bin/oracle", "oracle"),
            ("/opt/informix/bin/oninit", "informix"),
            ("/usr/irissys/bin/irisdb", "iris"),
            ("/usr/bin/clickhouse-server", "clickhouse"),
            ("/usr/bin/influxd", "influxdb"),
            ("/usr/bin/prometheus", "prometheus"),
            ("/opt/sdb/data/db/MAXDB/pgm/kernel", "maxdb"),
        ):
            with self.subTest(executable):
                self.assertEqual(self.name(executable), name)

    def test_are_known_by_what_the_kernel_leaves_of_a_name(self) -> None:
        self.assertEqual(self.name("", program="clickhouse-serv"), "clickhouse")
        self.assertEqual(self.name("", program="hdbcompileserve"), "hana")
        self.assertEqual(self.name("/x/renamed", program="ora_pmon_SHOP"), "oracle")

    def test_are_known_by_what_makes_a_shared_program_this_server(self) -> None:
        heap, path = "-Xmx8g", ["-cp", "/etc/x:/usr/share/x/lib/*"]
        for executable, arguments, name in (
            (JAVA, [heap, *path, "org.apache.cassandra.service.CassandraDaemon"], "cassandra"),
            (JAVA, [heap, *path, "org.elasticsearch.bootstrap.Elasticsearch"], "elasticsearch"),
            (
                JAVA,
                [
                    heap,
                    "--module-path",
                    "/usr/share/elasticsearch/lib",
                    "--add-modules=jdk.net",
                    "-m",
                    "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch",
                ],
                "elasticsearch",
            ),
            (JAVA, [*path, "org.opensearch.bootstrap.OpenSearch", "-d"], "opensearch"),
            (JAVA, [*path, "com.neo4j.server.enterprise.EnterpriseEntryPoint"], "neo4j"),
            (JAVA, ["-Dsolr.solr.home=/var/solr/data", "-jar", "start.jar"], "solr"),
            (JAVA, [*path, "kafka.Kafka", "config/server.properties"], "kafka"),
            (JAVA, [*path, "org.apache.zookeeper.server.quorum.QuorumPeerMain"], "zookeeper"),
            (
                BEAM,
                ["-W", "w", "--", "-noshell", "-s", "rabbit", "boot"],
                "rabbitmq",
            ),
            (BEAM, ["--", "-root", "/opt/couchdb", "-progname", "couchdb"], "couchdb"),
            ("/usr/bin/clickhouse", ["server", "--config=/etc/c.xml"], "clickhouse"),
            ("/usr/local/bin/cockroach", ["start", "--insecure"], "cockroachdb"),
            ("/usr/cachesys/bin/cache", ["-s/usr/cachesys/mgr", "-cj", "-p18"], "cache"),
        ):
            with self.subTest(name):
                self.assertEqual(self.name(executable, arguments), name)

    def test_a_word_in_the_arguments_makes_no_server(self) -> None:
        for executable, arguments in (
            ("/usr/bin/vim", ["/etc/cassandra/cassandra.yaml"]),
            ("/usr/bin/grep", ["-r", "sqlservr", "/var/log"]),
            ("/usr/bin/tail", ["-f", "/var/log/influxd.log"]),
            ("/usr/bin/less", ["org.elasticsearch.bootstrap.Elasticsearch"]),
            (JAVA, ["-jar", "/opt/shop/shop.jar", "org.elasticsearch.bootstrap.Elasticsearch"]),
            (JAVA, ["-cp", "kafka.Kafka", "org.shop.Main", "kafka.Kafka"]),
            (JAVA, ["-Dindex=solr.solr.home", "-jar", "shop.jar"]),
            (JAVA, ["-cp", "/x/*", "org.elasticsearch.launcher.CliToolLauncher"]),
            (JAVA, []),
            (BEAM, ["-progname", "erl", "-s", "shop", "rabbit"]),
            ("/usr/bin/clickhouse", ["client", "--query=SELECT 1"]),
            ("/usr/bin/clickhouse", []),
            ("/usr/local/bin/cockroach", ["sql", "--insecure"]),
            ("/opt/shop/bin/kernel", []),
            ("/usr/bin/cache", ["--clear"]),
            ("/usr/bin/sqlcmd", ["-S", "sqlservr"]),
        ):
            with self.subTest(executable + " " + " ".join(arguments)):
                self.assertEqual(self.name(executable, arguments), "")

    def test_arguments_are_asked_for_only_where_the_name_does_not_tell(self) -> None:
        self.assertFalse(known_servers.needs_arguments("sqlservr", "/opt/mssql/bin/sqlservr"))
        self.assertTrue(known_servers.needs_arguments("java", JAVA))
        self.assertTrue(known_servers.needs_arguments("renamed", JAVA))


if __name__ == "__main__":
    unittest.main()
