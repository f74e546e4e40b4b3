import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A session as people have one through MariaDB Connector/J. Takes HOST PORT USER PASSWORD TLS; prints a line per step, the same
 * for every server. What is about the schema wiresql begins with "own ".
 */
public class Session {
  static final String NUMBERS;
  static final String LARGE;

  static {
    StringBuilder n = new StringBuilder("(SELECT 0 AS n");
    for (int i = 1; i < 50; i++) {
      n.append(" UNION ALL SELECT ").append(i);
    }
    NUMBERS = n.append(")").toString();
    LARGE = "SELECT a.n * 2500 + b.n * 50 + c.n AS n, CONCAT('row ', c.n) AS t FROM " + NUMBERS + " a CROSS JOIN " + NUMBERS + " b CROSS JOIN " + NUMBERS + " c";
  }

  interface Step {
    Object run() throws Exception;
  }

  static void say(String name, Object value) {
    byte[] line = (name + ": " + value + "\n").getBytes(StandardCharsets.UTF_8);
    System.out.write(line, 0, line.length);
    System.out.flush();
  }

  static void tried(String name, Step step) {
    try {
      say(name, step.run());
    } catch (SQLException e) {
      say(name, "error " + e.getErrorCode() + " " + e.getSQLState());
    } catch (Exception e) {
      say(name, e);
    }
  }

  static String shown(ResultSet rows) throws SQLException {
    List<String> out = new ArrayList<>();
    while (rows.next()) {
      List<String> cells = new ArrayList<>();
      for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
        cells.add(rows.getString(i));
      }
      out.add(String.join("|", cells.stream().map(String::valueOf).toList()));
    }
    return String.join("; ", out);
  }

  static String query(Connection db, String statement) throws SQLException {
    try (Statement st = db.createStatement(); ResultSet rows = st.executeQuery(statement)) {
      return shown(rows);
    }
  }

  static String names(ResultSet rows, String column) throws SQLException {
    List<String> out = new ArrayList<>();
    while (rows.next()) {
      out.add(rows.getString(column));
    }
    return String.join(" ", out);
  }

  static void parameters(Connection db, String kind) {
    Object[][] list = {
      {"SELECT ?, ?, ?", 1, null, "text"},
      {"SELECT ? + 0, ? + 0, ? + 0", Long.MIN_VALUE, Long.MAX_VALUE, 2147483648L},
      {"SELECT CAST(? AS CHAR), CAST(? AS CHAR)", new BigDecimal("-12.50"), "häß 😀 '\"\\%"},
      {"SELECT CAST(? AS DATETIME(6)), CAST(? AS DATE)", LocalDateTime.of(2026, 6, 12, 10, 15, 0, 48_000_000), LocalDate.of(2024, 2, 29)},
      {"SELECT HEX(?), LENGTH(?)", new byte[] {0, -1, 39, 92}, new byte[0]},
      {"SELECT ? = 1, ? IS NULL", true, null},
      {"SELECT n FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) t WHERE n IN (?, ?) ORDER BY n LIMIT ?", 3, 2, 5},
      {"SELECT LENGTH(?)", "x".repeat(100000)},
    };
    for (Object[] one : list) {
      tried(kind + " " + one[0], () -> {
        try (PreparedStatement st = db.prepareStatement((String) one[0])) {
          String last = "";
          for (int again = 0; again < 3; again++) { // from the second time on it is known
            for (int i = 1; i < one.length; i++) {
              st.setObject(i, one[i]);
            }
            last = shown(st.executeQuery());
          }
          return last;
        }
      });
    }
  }

  public static void main(String[] args) throws Exception {
    java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("UTC"));
    String base = "jdbc:mariadb://" + args[0] + ":" + args[1] + "/";
    String more = "?user=" + args[2] + "&useSsl=" + args[4].equals("1") + "&trustServerCertificate=true&password=";
    String url = base + "wiresql" + more + args[3];
    Connection db = DriverManager.getConnection(url + "&allowMultiQueries=true");
    say("valid", db.isValid(5));
    say("catalog", db.getCatalog());
    say("isolation", db.getTransactionIsolation());
    parameters(db, "text");
    try (Connection binary = DriverManager.getConnection(url + "&useServerPrepStmts=true")) {
      parameters(binary, "binary");
    }

    DatabaseMetaData about = db.getMetaData();
    say("own tables", names(about.getTables("wiresql", null, "%", null), "TABLE_NAME"));
    say("own columns", names(about.getColumns("wiresql", null, "connections", "%"), "COLUMN_NAME"));
    say("own keys", names(about.getPrimaryKeys("wiresql", null, "connections"), "COLUMN_NAME"));
    say("indexes", names(about.getIndexInfo("wiresql", null, "connections", false, true), "INDEX_NAME"));
    say("imported keys", names(about.getImportedKeys("wiresql", null, "connections"), "PKTABLE_NAME"));
    say("procedures", names(about.getProcedures("wiresql", null, "%"), "PROCEDURE_NAME"));
    List<String> catalogs = List.of(names(about.getCatalogs(), "TABLE_CAT").split(" "));
    say("catalogs", catalogs.containsAll(List.of("information_schema", "ops", "wiresql")));
    say("schema term", about.getSchemaTerm() + "/" + about.getCatalogTerm() + "/" + about.getIdentifierQuoteString());

    for (String statement : new String[] {"SELEC 1", "SELECT nothing", "SELECT * FROM nothing", "USE nowhere"}) {
      tried(statement, () -> query(db, statement));
      tried("alive", () -> query(db, "SELECT 1"));
    }
    tried("sets", () -> {
      try (Statement st = db.createStatement()) {
        List<String> out = new ArrayList<>();
        for (boolean rows = st.execute("SELECT 1; SELECT 2, NULL; SET @x = 'set'; SELECT @x"); rows || st.getUpdateCount() >= 0; rows = st.getMoreResults()) {
          out.add(rows ? shown(st.getResultSet()) : "no rows");
        }
        return String.join(" / ", out);
      }
    });
    tried("warning", () -> {
      try (Statement st = db.createStatement(); ResultSet rows = st.executeQuery("SELECT CAST('12x' AS SIGNED)")) {
        return shown(rows) + " " + st.getWarnings().getErrorCode();
      }
    });
    tried("most rows", () -> {
      try (Statement st = db.createStatement()) {
        st.setMaxRows(3);
        return shown(st.executeQuery("SELECT n FROM " + NUMBERS + " t ORDER BY n"));
      }
    });
    for (int fetch : new int[] {0, 1, 1000}) {
      tried("large, " + fetch + " at a time", () -> {
        try (Statement st = db.createStatement()) {
          st.setFetchSize(fetch);
          long n = 0, total = 0;
          try (ResultSet rows = st.executeQuery(LARGE)) {
            for (; rows.next(); n++) {
              total += rows.getLong("n");
            }
          }
          return n + " " + total;
        }
      });
    }
    db.setAutoCommit(false);
    tried("transaction", () -> query(db, "SELECT 1"));
    Savepoint point = db.setSavepoint("here");
    db.rollback(point);
    db.commit();
    db.rollback();
    db.setAutoCommit(true);
    db.setReadOnly(true);
    tried("read only", () -> query(db, "SELECT 1"));
    db.setReadOnly(false);
    db.setCatalog("ops");
    tried("other catalog", () -> query(db, "SELECT DATABASE()"));
    tried("no catalog", () -> {
      db.setCatalog("nowhere");
      return "set";
    });

    // cancel() is KILL QUERY on another connection.
    long started = System.currentTimeMillis();
    try (Statement st = db.createStatement()) {
      Thread cancel = new Thread(() -> {
        try {
          Thread.sleep(500);
          st.cancel();
        } catch (Exception e) {
          say("cancel", e);
        }
      });
      cancel.start();
      tried("cancelled", () -> shown(st.executeQuery("SELECT COUNT(*) FROM (" + LARGE + ") q CROSS JOIN (" + LARGE + ") r WHERE SQRT(q.n * r.n) = 0.5")));
      cancel.join();
    }
    say("in time", System.currentTimeMillis() - started < 10000);
    tried("alive", () -> query(db, "SELECT 1"));
    String id = query(db, "SELECT CONNECTION_ID()");
    try (Connection other = DriverManager.getConnection(url); Statement kill = other.createStatement()) {
      kill.execute("KILL " + id);
    }
    Thread.sleep(300);
    say("valid after KILL", db.isValid(2));
    tried("wrong password", () -> DriverManager.getConnection(base + "wiresql" + more + "wrong"));
    tried("unknown database", () -> DriverManager.getConnection(base + "nowhere" + more + args[3]));
  }
}
