import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.format.DateTimeFormatter;

/** Asks a server through MariaDB Connector/J, in both protocols. */
public class Client {
  static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSSSSS");

  public static void main(String[] args) throws Exception {
    java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("UTC"));
    String url = "jdbc:mariadb://" + args[0] + ":" + args[1] + "/wiresql?user=" + args[2] + "&password=" + args[3]
        + "&tinyInt1isBit=false&useServerPrepStmts=true&useSsl=" + args[4].equals("1") + "&trustServerCertificate=true";
    Connection db = DriverManager.getConnection(url);
    StringBuilder out = new StringBuilder();
    for (String statement : Files.readAllLines(Path.of(args[5]), StandardCharsets.UTF_8)) {
      for (boolean binary : new boolean[] {false, true}) {
        out.append("{\"binary\":").append(binary);
        StringBuilder result = new StringBuilder();
        try {
          if (binary) {
            try (PreparedStatement st = db.prepareStatement(statement); ResultSet rows = st.executeQuery()) {
              read(rows, result);
            }
          } else {
            try (Statement st = db.createStatement(); ResultSet rows = st.executeQuery(statement)) {
              read(rows, result);
            }
          }
        } catch (Exception e) {
          result.setLength(0);
          boolean lost = !db.isValid(5);
          result.append(",\"error\":").append(quote(e + (lost ? " (and the connection is lost)" : "")));
          if (lost) {
            db = DriverManager.getConnection(url);
          }
        }
        out.append(result).append("}\n");
      }
    }
    System.out.write(out.toString().getBytes(StandardCharsets.UTF_8));
    System.out.flush();
    db.close();
  }

  static void read(ResultSet rows, StringBuilder out) throws SQLException {
    ResultSetMetaData meta = rows.getMetaData();
    out.append(",\"columns\":[");
    for (int i = 1; i <= meta.getColumnCount(); i++) {
      String type = meta.getColumnTypeName(i);
      out.append(i > 1 ? "," : "").append("{\"name\":").append(quote(meta.getColumnLabel(i)))
          .append(",\"type\":").append(quote(type)).append(",\"scale\":").append(meta.getScale(i))
          .append(",\"unsigned\":").append(!meta.isSigned(i)).append("}");
    }
    out.append("],\"rows\":[");
    for (int n = 0; rows.next(); n++) {
      out.append(n > 0 ? ",[" : "[");
      for (int i = 1; i <= meta.getColumnCount(); i++) {
        out.append(i > 1 ? "," : "").append(quote(text(rows, i)));
      }
      out.append("]");
    }
    out.append("]");
  }

  /** The value as the driver makes an object of it, which must not fail. */
  static String text(ResultSet rows, int i) throws SQLException {
    Object v = rows.getObject(i);
    if (v == null) {
      return null;
    }
    if (v instanceof byte[]) {
      StringBuilder hex = new StringBuilder("0x");
      for (byte b : (byte[]) v) {
        hex.append(String.format("%02x", b));
      }
      return hex.toString();
    }
    if (v instanceof java.sql.Blob) {
      java.sql.Blob b = (java.sql.Blob) v;
      StringBuilder hex = new StringBuilder("0x");
      for (byte x : b.getBytes(1, (int) b.length())) {
        hex.append(String.format("%02x", x));
      }
      return hex.toString();
    }
    if (v instanceof Timestamp) {
      return TIME.format(((Timestamp) v).toLocalDateTime());
    }
    if (v instanceof BigDecimal) {
      return ((BigDecimal) v).toPlainString();
    }
    // java.sql.Time ends at 24 hours and has no microseconds.
    return rows.getString(i);
  }

  static String quote(String s) {
    if (s == null) {
      return "null";
    }
    StringBuilder out = new StringBuilder("\"");
    for (char c : s.toCharArray()) {
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
