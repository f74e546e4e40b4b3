package functions

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// documents are the JSON functions (manual 12.17).
var documents = []builtin{
	{name: "json_array", args: "a, …", typed: jsonResult, doc: "An array of the values."},
	{name: "json_contains_path", args: "document, one_or_all, path, …", typed: maybeInt, doc: "Whether paths exist."},
	{name: "json_depth", args: "document", typed: maybeInt, doc: "How deep it is."},
	{name: "json_extract", args: "document, path, …", typed: jsonResult, doc: "What is at the path; also document->path."},
	{name: "json_keys", args: "document[, path]", typed: jsonResult, doc: "The keys of an object."},
	{name: "json_length", args: "document[, path]", typed: maybeInt, doc: "The number of elements."},
	{name: "json_object", args: "key, value, …", typed: jsonResult, doc: "An object of keys and values."},
	{name: "json_remove", args: "document, path, …", typed: jsonResult, doc: "The document without what is at the paths."},
	{name: "json_unquote", args: "value", typed: plainText(0), doc: "A JSON text as text; also document->>path."},
}

// documentName is nameOf for JSON functions.
func documentName(node sqlparser.Expr) string {
	switch node.(type) {
	case *sqlparser.JSONArrayExpr:
		return "json_array"
	case *sqlparser.JSONObjectExpr:
		return "json_object"
	case *sqlparser.JSONContainsPathExpr:
		return "json_contains_path"
	case *sqlparser.JSONExtractExpr:
		return "json_extract"
	case *sqlparser.JSONKeysExpr:
		return "json_keys"
	case *sqlparser.JSONRemoveExpr:
		return "json_remove"
	case *sqlparser.JSONUnquoteExpr:
		return "json_unquote"
	}
	if text := strings.ToLower(sqlparser.String(node)); strings.HasPrefix(text, "json_") {
		name, _, _ := strings.Cut(text, "(")
		return name
	}
	return ""
}
