"""A session as people have one, through a driver of Python: mysqlclient,
PyMySQL, pyodbc or SQLAlchemy with one of the first two.

Takes DRIVER HOST PORT USER PASSWORD TLS; prints a line per step, the same for
every server. What is about the schema wiresql begins with "own ".
"""

import datetime
import decimal
import re
import sys
import threading
import time

NUMBERS = "(SELECT 0 AS n%s)" % "".join(" UNION ALL SELECT %d" % i for i in range(1, 50))
LARGE = "SELECT a.n * 2500 + b.n * 50 + c.n AS n, CONCAT('row ', c.n) AS t FROM %s a CROSS JOIN %s b CROSS JOIN %s c" % (NUMBERS, NUMBERS, NUMBERS)

PARAMETERS = [
    ("SELECT {p}, {p}, {p}", (1, None, "text")),
    ("SELECT {p} + 0, {p} + 0, {p} + 0", (-9223372036854775808, 9223372036854775807, 2147483648)),
    ("SELECT CAST({p} AS CHAR), CAST({p} AS CHAR)", (decimal.Decimal("-12.50"), "häß 😀 '\"\\%")),
    ("SELECT {p} + 0e0, {p} * 2", (0.1, 1.5)),
    ("SELECT CAST({p} AS DATETIME(6)), CAST({p} AS DATE)", (datetime.datetime(2026, 6, 12, 10, 15, 0, 48000), datetime.date(2024, 2, 29))),
    ("SELECT CAST({p} AS CHAR), DAYNAME({p})", (datetime.datetime(2026, 6, 12), datetime.date(2024, 2, 29))),
    ("SELECT HEX({p}), LENGTH({p})", (b"\x00\xff'\\", b"")),
    ("SELECT {p} = 1, {p} IS NULL", (True, None)),
    ("SELECT n FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) t WHERE n IN ({p}, {p}) ORDER BY n LIMIT {p}", (3, 2, 5)),
    ("SELECT {p}, {p}, {p}, {p}, {p}, {p}, {p}, {p}, {p}, {p}", (None, 1, None, None, None, None, None, None, None, "j")),
    ("SELECT LENGTH({p})", ("x" * 100000,)),
]


def text(v):
    if isinstance(v, (bytes, bytearray)):
        return "0x" + bytes(v).hex()
    if isinstance(v, float):
        return "%.15g" % v
    return str(v)


def number(e):
    """The server's number in a driver's exception."""
    e = getattr(e, "orig", None) or e
    if e.args and isinstance(e.args[0], int):
        return e.args[0]
    found = re.search(r"\((\d{4})\)", str(e))
    return int(found.group(1)) if found else str(e)


def say(name, value):
    print("%s: %s" % (name, value))
    sys.stdout.flush()


def tried(name, f):
    try:
        say(name, f())
    except Exception as e:
        say(name, "error %s" % number(e))


def rows(cursor, statement, params=None):
    cursor.execute(statement, params) if params is not None else cursor.execute(statement)
    return "; ".join("|".join(text(v) for v in row) for row in cursor.fetchall())


def dbapi(driver, connect, streaming, mark):
    db = connect()
    cursor = db.cursor()
    say("databases", {r[0] for r in [cursor.execute("SHOW DATABASES"), cursor.fetchall()][1]} >= {"wiresql", "ops", "information_schema"})
    for statement, params in PARAMETERS:
        tried("%s %.40r" % (statement, params), lambda: rows(cursor, statement.replace("{p}", mark), params))
    say("own columns", len([cursor.execute("SELECT * FROM connections LIMIT 0"), cursor.description][1]))
    for statement in ["SELEC 1", "SELECT nothing", "SELECT * FROM nothing", "SELECT 1; SELECT nothing", "USE nowhere"]:
        tried(statement, lambda: rows(cursor, statement))
        tried("alive", lambda: rows(cursor, "SELECT 1"))
    large = streaming(db)
    large.execute(LARGE)
    n, total = 0, 0
    while True:
        part = large.fetchmany(1000)
        if not part:
            break
        n, total = n + len(part), total + sum(int(r[0]) for r in part)
    say("large", (n, total))
    large.close()
    # Another connection ends what runs, then the connection.
    cursor.execute("SELECT CONNECTION_ID()")
    mine = cursor.fetchone()[0]

    def kill(statement):
        other = connect()
        time.sleep(0.5)
        other.cursor().execute(statement)
        other.close()

    started = time.time()
    killer = threading.Thread(target=kill, args=("KILL QUERY %d" % mine,))
    killer.start()
    tried("cancelled", lambda: rows(cursor, "SELECT COUNT(*) FROM (%s) q CROSS JOIN (%s) r WHERE SQRT(q.n * r.n) = 0.5" % (LARGE, LARGE)))
    killer.join()
    say("in time", time.time() - started < 10)
    tried("alive", lambda: rows(cursor, "SELECT 1"))
    kill("KILL %d" % mine)
    time.sleep(0.2)
    try:
        rows(cursor, "SELECT 1")
        say("killed", False)
    except Exception:
        say("killed", True)
    db = connect()
    cursor = db.cursor()
    tried("again", lambda: rows(cursor, "SELECT DATABASE()"))
    db.close()


def odbc(connect):
    db = connect()
    cursor = db.cursor()
    say("own tables", len([r for r in cursor.tables(catalog="wiresql") if r.table_name]))
    say("own connections", " ".join(r.column_name for r in cursor.columns(table="connections", catalog="wiresql")))
    say("own columns of all", len(list(cursor.columns(catalog="wiresql"))))
    say("own keys", len(list(cursor.primaryKeys(table="connections", catalog="wiresql"))))
    say("own statistics", len(list(cursor.statistics(table="connections", catalog="wiresql"))))
    say("own types", len(list(cursor.getTypeInfo())) > 10)
    say("own procedures", len(list(cursor.procedures())))
    say("own foreign keys", len(list(cursor.foreignKeys(table="connections", catalog="wiresql"))))
    db.close()


def alchemy(url, tls):
    import sqlalchemy as sa
    from sqlalchemy.orm import Session

    import warnings
    warnings.simplefilter("error", sa.exc.SAWarning)
    engine = sa.create_engine(url, connect_args=tls, pool_pre_ping=True)
    inspector = sa.inspect(engine)
    say("schemas", {"wiresql", "ops"} <= set(inspector.get_schema_names()))
    for schema in ("wiresql", "ops"):
        names = inspector.get_table_names(schema=schema) + inspector.get_view_names(schema=schema)
        meta = sa.MetaData()
        meta.reflect(engine, schema=schema, views=True)
        say("own tables of %s" % schema, " ".join(sorted(names)))
        for t in sorted(meta.tables.values(), key=lambda t: t.name):
            untyped = [c.name for c in t.columns if isinstance(c.type, sa.types.NullType)]
            say("own columns of %s" % t.name, "%d%s" % (len(t.columns), " untyped %s" % untyped if untyped else ""))
            with engine.connect() as db:
                for row in db.execute(sa.select(t).limit(3)):
                    if len(row) != len(t.columns):
                        say("own row of %s" % t.name, row)
    t = sa.table("connections", sa.column("server_port"), sa.column("bytes"), sa.column("ts"), sa.column("client_ip"))
    with engine.connect() as db:
        q = sa.select(t.c.server_port, sa.func.count(), sa.func.sum(t.c.bytes)).where(t.c.server_port.in_([22, 53, 443])).where(t.c.ts > datetime.datetime(2020, 1, 1)).group_by(t.c.server_port).order_by(t.c.server_port)
        core = db.execute(q).all()
        raw = db.execute(sa.text("SELECT server_port, COUNT(*), SUM(bytes) FROM connections WHERE server_port IN (22, 53, 443) AND ts > '2020-01-01' GROUP BY 1 ORDER BY 1")).all()
        say("own core", (len(core) > 0, core == raw))
        streamed = db.execution_options(stream_results=True).execute(sa.text(LARGE))
        say("large", sum(1 for _ in streamed))
    # Tables without a key are no classes for the ORM: it is given one.
    base = sa.orm.declarative_base()

    class Connection(base):
        __tablename__ = "connections"
        conn_id = sa.Column(sa.String(13), primary_key=True)
        server_port = sa.Column(sa.Integer)
        ts = sa.Column(sa.DateTime)

    with Session(engine) as s:
        found = s.query(Connection).filter(Connection.server_port == 443).order_by(Connection.ts.desc(), Connection.conn_id).limit(5).all()
        say("own orm", (len(found), all(c.server_port == 443 and isinstance(c.ts, datetime.datetime) for c in found)))
        say("own orm key", all(s.get(Connection, c.conn_id) is c for c in found))
    engine.dispose()


def main(driver, host, port, user, password, tls):
    if driver == "mysqlclient":
        import MySQLdb
        import MySQLdb.cursors
        options = {"ssl": {"cipher": "ALL"}} if tls == "1" else {}
        dbapi(driver, lambda: MySQLdb.connect(host=host, port=int(port), user=user, passwd=password, db="wiresql", charset="utf8mb4", **options),
              lambda db: db.cursor(MySQLdb.cursors.SSCursor), "%s")
    elif driver == "pymysql":
        import pymysql
        import pymysql.cursors
        dbapi(driver, lambda: pymysql.connect(host=host, port=int(port), user=user, password=password, database="wiresql", charset="utf8mb4", ssl={} if tls == "0" else {"check_hostname": False}),
              lambda db: db.cursor(pymysql.cursors.SSCursor), "%s")
    elif driver in ("pyodbc", "odbc catalogue"):
        import pyodbc
        pyodbc.pooling = False
        where = "DRIVER={MariaDB Unicode};SERVER=%s;PORT=%s;UID=%s;PWD=%s;DATABASE=wiresql;" % (host, port, user, password) + ("FORCETLS=1;SSLVERIFY=0" if tls == "1" else "")
        connect = lambda: pyodbc.connect(where, autocommit=True)
        if driver == "pyodbc":
            dbapi(driver, connect, lambda db: db.cursor(), "?")
        else:
            odbc(connect)
    else:
        name = driver.split("+")[1]
        options = {} if tls == "0" else {"ssl": {"cipher": "ALL"} if name == "mysqldb" else {"check_hostname": False}}
        alchemy("mysql+%s://%s:%s@%s:%s/wiresql?charset=utf8mb4" % (name, user, password, host, port), options)


main(*sys.argv[1:])
