package engine

import (
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// What SET is given, judged with MySQL's numbers before go-mysql-server sees
// it.

// checkSettings refuses variables that do not exist and constants that they
// can never be.
func checkSettings(s *sqlparser.Set) error {
	for _, x := range s.Exprs {
		if x.Var.Scope == sqlparser.VariableScope {
			continue
		}
		if err := checkSetting(x.Var.Name.Lowered(), x.Expr); err != nil {
			return err
		}
	}
	return nil
}

func checkSetting(name string, value sqlparser.Expr) error {
	literal, _ := value.(*sqlparser.Literal)
	text := ""
	if literal != nil && literal.Type == sqlparser.StrVal {
		text = literal.Val
	}
	if name == "names" || name == "charset" {
		if text != "" && !strings.EqualFold(text, "default") {
			return knownCharset(text)
		}
		return nil
	}
	known, _, ok := sql.SystemVariables.GetGlobal(name)
	if !ok {
		return functions.Errorf(1193, "Unknown system variable '%s'", name)
	}
	if v, ok := known.(*sql.MysqlSystemVariable); literal == nil || ok && !v.Dynamic {
		return nil // what can't be set is go-mysql-server's to say
	}
	if name != "sql_mode" && !fits(known.GetType(), literal.Type) { // which may be a number of bits
		return functions.Errorf(1232, "Incorrect argument type to variable '%s'", name)
	}
	switch {
	case text == "":
	case strings.HasPrefix(name, "character_set_"):
		return knownCharset(text)
	case strings.HasPrefix(name, "collation_"):
		if _, ok := functions.CollationNamed(strings.ToLower(text)); !ok {
			return functions.Errorf(1273, "Unknown collation: '%s'", text)
		}
	default:
		words, isSet := known.GetType().(sql.SetType)
		if !isSet {
			return nil
		}
		if _, _, err := words.Convert(sql.NewEmptyContext(), text); err != nil {
			return functions.Errorf(1231, "Variable '%s' can't be set to the value of '%s'", name, text)
		}
	}
	return nil
}

func knownCharset(name string) error {
	if _, err := sql.ParseCharacterSet(name); err != nil {
		return functions.Errorf(1115, "Unknown character set: '%s'", name)
	}
	return nil
}

// fits tells whether a variable of a type may be given a constant of a kind
// (MySQL manual 15.7.6.1): numbers are not read out of texts.
func fits(t sql.Type, constant sqlparser.ValType) bool {
	system, ok := t.(sql.SystemVariableType)
	if !ok {
		return true
	}
	whole := constant == sqlparser.IntVal || constant == sqlparser.HexNum || constant == sqlparser.HexVal || constant == sqlparser.BitNum
	switch u := system.UnderlyingType(); {
	case types.IsBoolean(u):
		return true
	case types.IsInteger(u):
		return whole
	case types.IsFloat(u):
		return constant != sqlparser.StrVal
	case types.IsText(u):
		return constant == sqlparser.StrVal
	}
	return true
}
