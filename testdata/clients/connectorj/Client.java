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
    for (String line : Files.readAllLines(Path.of(args[5]), StandardCharsets.UTF_8)) {
      String[] words = line.split("\t", -1);
      String statement = words[0];
      for (boolean binary : new boolean[] {false, true}) {
        if (!binary && words.length > 1) {
          continue;
        }
        out.append("{\"binary\":").append(binary);
        StringBuilder result = new StringBuilder();
        try {
          if (binary) {
            try (PreparedStatement st = db.prepareStatement(statement)) {
              for (int i = 1; i < words.length; i++) {
                bind(st, i, words[i]);
              }
              try (ResultSet rows = st.executeQuery()) {
                read(rows, result);
              }
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

  /** Binds a parameter written as kind:value. */
  static void bind(PreparedStatement st, int i, String word) throws SQLException {
    String v = word.substring(word.indexOf(':') + 1);
    switch (word.substring(0, word.indexOf(':'))) {
      case "null": st.setNull(i, java.sql.Types.INTEGER); break;
      case "bool": st.setBoolean(i, v.equals("1")); break;
      case "byte": st.setByte(i, Byte.parseByte(v)); break;
      case "short": st.setShort(i, Short.parseShort(v)); break;
      case "int": st.setInt(i, Integer.parseInt(v)); break;
      case "long": st.setLong(i, Long.parseLong(v)); break;
      case "float": st.setFloat(i, Float.parseFloat(v)); break;
      case "double": st.setDouble(i, Double.parseDouble(v)); break;
      case "decimal": st.setBigDecimal(i, new BigDecimal(v)); break;
      case "at": st.setTimestamp(i, Timestamp.valueOf(v)); break;
      case "day": st.setDate(i, java.sql.Date.valueOf(v)); break;
      case "span": st.setObject(i, java.time.LocalTime.parse(v)); break;
      case "bytes": st.setBytes(i, v.getBytes(StandardCharsets.UTF_8)); break;
      // A stream travels as long data, ahead of the other parameters.
      case "stream": st.setBinaryStream(i, new java.io.ByteArrayInputStream(v.getBytes(StandardCharsets.UTF_8))); break;
      default: st.setString(i, v);
    }
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
