"""Asks a server through PyMySQL, which has the text protocol only."""

import datetime
import json
import ssl
import sys

import pymysql


def text(v):
    if v is None:
        return None
    if isinstance(v, bytes):
        return "0x" + v.hex()
    if isinstance(v, datetime.datetime):
        return v.isoformat(" ")
    if isinstance(v, datetime.timedelta):
        us = v // datetime.timedelta(microseconds=1)
        sign, us = ("-", -us) if us < 0 else ("", us)
        s = "%s%02d:%02d:%02d" % (sign, us // 3600000000, us // 60000000 % 60, us // 1000000 % 60)
        return s + (".%06d" % (us % 1000000) if us % 1000000 else "")
    return repr(v) if isinstance(v, float) else str(v)


def main(host, port, user, password, tls, file):
    context = None
    if tls == "1":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    def connect():
        return pymysql.connect(host=host, port=int(port), user=user, password=password, database="wiresql", charset="utf8mb4", ssl=context)

    db = connect()
    for statement in open(file, encoding="utf-8"):
        statement = statement.rstrip("\n")
        out = {"binary": False, "columns": [], "rows": []}
        try:
            with db.cursor() as cursor:
                cursor.execute(statement)
                out["warnings"] = cursor._result.warning_count
                out["columns"] = [
                    {"name": f.name, "type": str(f.type_code) + ("b" if f.charsetnr == 63 else ""), "scale": f.scale, "unsigned": bool(f.flags & 32)}
                    for f in getattr(cursor._result, "fields", [])
                ]
                out["rows"] = [[text(v) for v in row] for row in cursor.fetchall()]
        except Exception as e:
            out["error"] = "%s: %s" % (type(e).__name__, e)
            try:
                db.ping(reconnect=False)
            except Exception:
                out["error"] += " (and the connection is lost)"
                db = connect()
        print(json.dumps(out))


main(*sys.argv[1:])
