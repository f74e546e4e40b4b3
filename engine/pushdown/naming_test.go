package pushdown

import (
	"strings"
	"testing"
	"time"
)

// An operand that a function's text repeats is named before the text grows by a
// power: 40 of any function in each other are compiled in no time, to a text
// that is a few times that of 20.
func TestTextGrowsLinearly(t *testing.T) {
	env := testEnv()
	for _, shape := range []string{
		"? + INTERVAL packets DAY|ts", "? - INTERVAL 1 MONTH|ts", "DATE_ADD(?, INTERVAL bytes SECOND)|ts", "DATE(? + INTERVAL 1 SECOND)|ts",
		"LAST_DAY(?)|ts", "? + INTERVAL 1 DAY|DATE(ts)", "TIMESTAMPADD(MINUTE, packets, ?)|ts", "FROM_UNIXTIME(UNIX_TIMESTAMP(?))|ts",
		"CONVERT_TZ(?, '+00:00', '+01:00')|ts", "STR_TO_DATE(?, '%Y')|ts", "MAKEDATE(YEAR(?), 1)|ts",
		"COALESCE(?, 1)|bytes", "IFNULL(?, packets)|bytes", "NULLIF(?, packets)|bytes", "IF(?, packets, bytes)|bytes", "CASE ? WHEN 1 THEN 2 ELSE packets END|bytes",
		"CASE WHEN ? > 1 THEN packets ELSE bytes END|bytes", "GREATEST(?, packets)|bytes", "LEAST(?, packets)|bytes",
		"COALESCE(?, server_ip)|client_ip", "IF(bytes > 1, ?, server_ip)|client_ip",
		"? / 3|bytes", "3 / ?|bytes", "? / packets|bytes", "? % packets|bytes", "? DIV packets|bytes", "? * duration|duration", "? / duration|duration",
		"-(?)|bytes", "ABS(?)|bytes", "~ ?|bytes", "? & packets|bytes", "? << 1|bytes", "? - CAST(bytes AS UNSIGNED)|bytes", "? * 1.5|bytes",
		"ROUND(?)|bytes / 3", "ROUND(?, 2)|duration", "TRUNCATE(?, 1)|duration", "FLOOR(?)|duration", "CEIL(?)|bytes / 3", "SQRT(?)|bytes", "POW(?, 2)|bytes",
		"EXP(?)|duration", "LN(?)|bytes", "LOG(2, ?)|bytes", "MOD(?, 7)|bytes", "SIGN(?)|bytes", "CRC32(?)|bytes", "CONV(?, 10, 16)|bytes",
		"UPPER(?)|client_host", "LOWER(?)|sensor", "CONCAT(?, 'a')|sensor", "TRIM(?)|sensor", "LEFT(?, 3)|sensor", "RIGHT(?, 3)|sensor",
		"SUBSTRING(?, 2, 3)|sensor", "SUBSTRING_INDEX(?, '.', 2)|sensor", "REPLACE(?, 'a', 'b')|sensor", "REVERSE(?)|sensor", "LPAD(?, 5, 'x')|sensor",
		"RPAD(?, 5, 'x')|sensor", "REPEAT(?, 2)|sensor", "INSERT(?, 1, 1, 'x')|sensor", "HEX(?)|sensor", "UNHEX(?)|sensor", "QUOTE(?)|sensor", "SOUNDEX(?)|sensor",
		"CAST(? AS CHAR)|bytes", "CAST(? AS SIGNED)|sensor", "CAST(? AS DECIMAL(20, 4))|bytes", "CAST(? AS DOUBLE)|bytes", "LENGTH(?)|sensor", "FIELD(?, 'a', 'b')|sensor",
		"ELT(?, 'a', 'b')|packets", "INET_NTOA(INET_ATON(?))|client_ip", "MD5(?)|sensor", "SHA1(?)|sensor", "NOT ?|bytes", "? = 1|bytes", "? IN (1, 2)|bytes",
		"? BETWEEN 1 AND 2|bytes", "? IS NULL|bytes", "(? > packets) XOR (packets > 1)|bytes", "? LIKE 'a%'|sensor", "SEC_TO_TIME(TIME_TO_SEC(?))|TIME(ts)",
		"ADDTIME(?, '00:00:01')|TIME(ts)", "HOUR(?)|TIME(ts)", "DAYNAME(?)|ts", "DATE_FORMAT(?, '%Y-%m-%d')|ts", "WEEK(?)|ts", "UNIX_TIMESTAMP(?)|ts",
	} {
		form, start, _ := strings.Cut(shape, "|")
		lengths := map[int]int{}
		for _, n := range []int{12, 24} {
			x := start
			for range n {
				x = strings.ReplaceAll(form, "?", "("+x+")")
				if len(x) > 100_000 {
					break
				}
			}
			begun := time.Now()
			p, err := compileText(t, "SELECT "+x+" AS x FROM connections WHERE ("+x+") IS NOT NULL", env)
			if err != nil {
				if !strings.Contains(err.Error(), "too large") && !strings.Contains(err.Error(), "parenthes") {
					t.Errorf("%s, %d times: %v", shape, n, err)
				}
				continue
			}
			text, err := p.Text(symbolic{})
			if err != nil {
				t.Errorf("%s, %d times: %v", shape, n, err)
			}
			if d := time.Since(begun); d > 10*time.Second {
				t.Errorf("%s, %d times: %v to compile", shape, n, d)
			}
			lengths[n] = len(text)
		}
		if lengths[12] > 0 && lengths[24] > 4*lengths[12]+20*longText {
			t.Errorf("%s: %d bytes of text for 12 in each other, %d for 24", shape, lengths[12], lengths[24])
		}
	}
}
