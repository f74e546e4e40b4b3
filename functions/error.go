package functions

// SQLError is an error of a statement with the number and state MySQL gives
// it (MySQL Server Error Message Reference).
type SQLError struct {
	Number  int
	State   string
	Message string
}

func (e *SQLError) Error() string { return e.Message }
