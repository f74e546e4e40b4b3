package functions

// patterns are the functions of regular expressions (manual 12.8.2).
var patterns = []builtin{
	{name: "regexp", args: "text, pattern", typed: truth, doc: "Whether the pattern matches."},
	{name: "regexp_like", args: "text, pattern[, flags]", typed: truth, doc: "Whether the pattern matches."},
	{name: "regexp_instr", args: "text, pattern[, position[, occurrence[, option[, flags]]]]", typed: maybeInteger, doc: "The position of a match."},
	{name: "regexp_replace", args: "text, pattern, replacement[, position[, occurrence[, flags]]]", typed: textFirst(unknown), doc: "The text with matches replaced."},
	{name: "regexp_substr", args: "text, pattern[, position[, occurrence[, flags]]]", typed: textFirst(first), doc: "The text of a match."},
}
