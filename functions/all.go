package functions

// All lists the functions in the order the documentation shows them.
var All []*Function

// UDFs lists what the engine registers with DuckDB.
var UDFs []UDFSpec
