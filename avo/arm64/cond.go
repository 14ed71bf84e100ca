package arm64

// Cond is a condition code of CSEL and its kin.
type Cond int

// Conditions; HS, LO, HI and LS compare unsigned, MI to VC single flags.
const (
	EQ Cond = iota
	NE
	HS
	LO
	MI
	PL
	VS
	VC
	HI
	LS
	GE
	LT
	GT
	LE
)
