/* Holds a conversation through the C API, which sends what few drivers do:
 * cursors, long data, COM_CHANGE_USER, COM_FIELD_LIST, COM_STATISTICS… Takes
 * HOST PORT USER PASSWORD TLS; prints a line per step, the same for every
 * server. */
#include <mysql.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MYSQL *db;

static const char *outcome(int failed) {
  static char text[64];
  if (!failed) return "ok";
  snprintf(text, sizeof text, "error %u %s", mysql_errno(db), mysql_sqlstate(db));
  return text;
}

static MYSQL *connect_to(char **v, const char *password, const char *schema, int compress) {
  MYSQL *m = mysql_init(NULL);
  my_bool no = 0, yes = 1;
  unsigned int protocol = MYSQL_PROTOCOL_TCP;
  mysql_options(m, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
  if (v[5][0] == '1') mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &yes);
  if (compress) mysql_options(m, MYSQL_OPT_COMPRESS, NULL);
  mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "conversation");
  mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  db = m;
  if (!mysql_real_connect(m, v[1], v[3], password, schema, atoi(v[2]), NULL, CLIENT_MULTI_RESULTS)) {
    printf("connect: %s\n", outcome(1));
    mysql_close(m);
    return NULL;
  }
  return m;
}

static void rows(const char *name) {
  MYSQL_RES *r = mysql_store_result(db);
  printf("%s:", name);
  if (!r) {
    printf(" %s\n", outcome(mysql_errno(db) != 0));
    return;
  }
  for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
    printf(" (");
    for (unsigned i = 0; i < mysql_num_fields(r); i++) printf("%s%s", i ? ", " : "", row[i] ? row[i] : "NULL");
    printf(")");
  }
  printf("\n");
  mysql_free_result(r);
}

static void query(const char *text) {
  if (mysql_query(db, text)) {
    printf("%s: %s\n", text, outcome(1));
    return;
  }
  rows(text);
  while (mysql_more_results(db)) {
    int next = mysql_next_result(db);
    if (next > 0) {
      printf("  next: %s\n", outcome(1));
      return;
    }
    if (next < 0) return;
    rows("  next");
  }
}

static const char *st_outcome(MYSQL_STMT *st, int failed) {
  static char text[64];
  if (!failed) return "ok";
  snprintf(text, sizeof text, "error %u %s", mysql_stmt_errno(st), mysql_stmt_sqlstate(st));
  return text;
}

static MYSQL_STMT *prepare(const char *text, int cursor, unsigned long prefetch) {
  MYSQL_STMT *st = mysql_stmt_init(db);
  unsigned long type = CURSOR_TYPE_READ_ONLY;
  if (cursor) {
    mysql_stmt_attr_set(st, STMT_ATTR_CURSOR_TYPE, &type);
    mysql_stmt_attr_set(st, STMT_ATTR_PREFETCH_ROWS, &prefetch);
  }
  int failed = mysql_stmt_prepare(st, text, strlen(text));
  printf("prepare %s: %s, %lu parameters\n", text, st_outcome(st, failed), mysql_stmt_param_count(st));
  return st;
}

struct text_row {
  char cell[4][64];
  unsigned long length[4];
  my_bool null[4];
};

static void bind_row(MYSQL_STMT *st, struct text_row *row, int n) {
  MYSQL_BIND b[4];
  memset(b, 0, sizeof b);
  for (int i = 0; i < n; i++) {
    b[i].buffer_type = MYSQL_TYPE_STRING;
    b[i].buffer = row->cell[i];
    b[i].buffer_length = sizeof row->cell[i] - 1;
    b[i].length = &row->length[i];
    b[i].is_null = &row->null[i];
  }
  mysql_stmt_bind_result(st, b);
}

static int fetch(const char *name, MYSQL_STMT *st, struct text_row *row, int n) {
  memset(row->cell, 0, sizeof row->cell);
  int got = mysql_stmt_fetch(st);
  if (got == MYSQL_NO_DATA) {
    printf("%s: end\n", name);
    return 0;
  }
  if (got == 1) {
    printf("%s: %s\n", name, st_outcome(st, 1));
    return 0;
  }
  printf("%s:", name);
  for (int i = 0; i < n; i++) printf(" %s", row->null[i] ? "NULL" : row->cell[i]);
  printf("\n");
  return 1;
}

static const char *twelve =
    "SELECT a.n * 4 + b.n AS n, CASE WHEN b.n = 1 THEN NULL ELSE CONCAT('row ', a.n * 4 + b.n) END AS t "
    "FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2) a CROSS JOIN "
    "(SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) b ORDER BY 1";

static void cursors(void) {
  struct text_row ra, rb;
  MYSQL_STMT *a = prepare(twelve, 1, 5), *b = prepare(twelve, 1, 1);
  printf("execute a: %s\n", st_outcome(a, mysql_stmt_execute(a)));
  bind_row(a, &ra, 2);
  printf("execute b: %s\n", st_outcome(b, mysql_stmt_execute(b)));
  bind_row(b, &rb, 2);
  for (int i = 0; i < 7; i++) {
    fetch("a", a, &ra, 2);
    if (i % 2 == 0) fetch("b", b, &rb, 2);
  }
  query("SELECT 'beside two cursors'");
  while (fetch("a", a, &ra, 2)) {
  }
  printf("reset b: %s\n", st_outcome(b, mysql_stmt_reset(b)));
  printf("execute b: %s\n", st_outcome(b, mysql_stmt_execute(b)));
  fetch("b", b, &rb, 2);
  printf("close b: %s\n", st_outcome(b, mysql_stmt_close(b)));
  printf("execute a: %s\n", st_outcome(a, mysql_stmt_execute(a)));
  fetch("a", a, &ra, 2);
  printf("execute a: %s\n", st_outcome(a, mysql_stmt_execute(a)));
  while (fetch("a", a, &ra, 2)) {
  }
  mysql_stmt_close(a);
  /* An error after some rows. */
  a = prepare("SELECT 9223372036854775806 + n AS v FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 5) t", 1, 1);
  printf("execute: %s\n", st_outcome(a, mysql_stmt_execute(a)));
  mysql_stmt_close(a);
  query("SELECT 'after an error'");
}

static void parameters(void) {
  struct text_row row;
  MYSQL_STMT *st = prepare("SELECT CAST(? AS CHAR), CAST(? AS CHAR), HEX(?), CAST(? AS CHAR)", 0, 0);
  MYSQL_BIND p[4];
  MYSQL_TIME at = {0}, span = {0};
  long long number = -5;
  my_bool is_null = 0;
  memset(p, 0, sizeof p);
  p[0].buffer_type = MYSQL_TYPE_DATETIME, p[0].buffer = &at;
  p[1].buffer_type = MYSQL_TYPE_TIME, p[1].buffer = &span;
  p[2].buffer_type = MYSQL_TYPE_BLOB;
  p[3].buffer_type = MYSQL_TYPE_LONGLONG, p[3].buffer = &number, p[3].is_null = &is_null;
  at.year = 2026, at.month = 6, at.day = 12, at.hour = 10, at.second = 5, at.second_part = 48000, at.time_type = MYSQL_TIMESTAMP_DATETIME;
  span.neg = 1, span.hour = 30, span.minute = 1, span.second_part = 7, span.time_type = MYSQL_TIMESTAMP_TIME;
  printf("bind: %s\n", st_outcome(st, mysql_stmt_bind_param(st, p)));
  for (int i = 0; i < 4; i++) {
    if (i != 2) { /* the third time the parts of the time before are gone */
      printf("long data: %s\n", st_outcome(st, mysql_stmt_send_long_data(st, 2, "ab", 2)));
      printf("long data: %s\n", st_outcome(st, mysql_stmt_send_long_data(st, 2, "\0c", 2)));
    }
    if (i == 1) at.hour = at.second = at.second_part = 0, span.neg = 0, span.second_part = 0, number = 1LL << 62;
    if (i == 3) is_null = 1, memset(&span, 0, sizeof span), span.time_type = MYSQL_TIMESTAMP_TIME;
    printf("execute: %s\n", st_outcome(st, mysql_stmt_execute(st)));
    bind_row(st, &row, 4);
    mysql_stmt_store_result(st);
    while (fetch("row", st, &row, 4)) {
    }
    mysql_stmt_free_result(st);
    if (i == 0) {
      mysql_stmt_send_long_data(st, 2, "lost", 4);
      printf("reset: %s\n", st_outcome(st, mysql_stmt_reset(st)));
    }
  }
  mysql_stmt_close(st);
}

static void fields(const char *table, const char *pattern) {
  MYSQL_RES *r = mysql_list_fields(db, table, pattern);
  printf("fields of %s like %s:", table, pattern);
  if (!r) {
    printf(" %s\n", outcome(1));
    return;
  }
  for (unsigned i = 0; i < mysql_num_fields(r); i++) printf(" %s", mysql_fetch_field_direct(r, i)->name);
  printf("\n");
  mysql_free_result(r);
}

int main(int n, char **v) {
  if (n != 6 || !(db = connect_to(v, v[4], "wiresql", 0))) return 1;
  MYSQL *first = db;
  printf("ping: %s\n", outcome(mysql_ping(db)));
  printf("select_db: %s\n", outcome(mysql_select_db(db, "nowhere")));
  printf("select_db: %s\n", outcome(mysql_select_db(db, "wiresql")));
  printf("stat: %d\n", mysql_stat(db) && strstr(mysql_stat(db), "Uptime: ") != NULL);
  query("SELECT 1; SELECT 2");
  printf("set_server_option: %s\n", outcome(mysql_set_server_option(db, MYSQL_OPTION_MULTI_STATEMENTS_ON)));
  query("SELECT 1; SELECT 2, NULL; SET @a = 3; SELECT @a");
  query("SELECT 1; SELECT nothing; SELECT 3");
  printf("set_server_option: %s\n", outcome(mysql_set_server_option(db, MYSQL_OPTION_MULTI_STATEMENTS_OFF)));
  query("SELECT 1; SELECT 2");
  fields("connections", "server\\_p%");
  fields("connections", "nothing%");
  fields("nowhere", NULL);
  cursors();
  parameters();
  query("SET @a = 5");
  printf("reset_connection: %s\n", outcome(mysql_reset_connection(db)));
  query("SELECT @a, DATABASE()");
  query("SET @a = 6");
  printf("change_user: %s\n", outcome(mysql_change_user(db, v[3], v[4], "ops")));
  query("SELECT @a, DATABASE()");
  printf("change_user: %s\n", outcome(mysql_change_user(db, v[3], v[4], NULL)));
  query("SELECT DATABASE()");
  printf("own ");
  query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE wiresql.connections");
  /* A second connection ends the first. */
  unsigned long id = mysql_thread_id(first);
  if (!connect_to(v, v[4], NULL, 1)) return 1;
  printf("kill: %s\n", outcome(mysql_kill(db, id)));
  printf("kill: %s\n", outcome(mysql_kill(db, 2000000000)));
  printf("the first: %d\n", mysql_ping(first) != 0);
  query("SELECT 'compressed or not'");
  printf("change_user, wrong password: %s\n", outcome(mysql_change_user(db, v[3], "wrong", NULL)));
  mysql_close(db);
  connect_to(v, "wrong", NULL, 0);
  connect_to(v, v[4], "nowhere", 0);
  return 0;
}
