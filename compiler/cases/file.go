package cases

import (
	"encoding/json"
	"os"
)

// File is the JSON form of a suite, as docs/cases.md has it.
type File struct {
	Name     string      `json:"name"`
	Expected string      `json:"expected,omitempty"`
	Param    string      `json:"param"`
	Weights  FileWeights `json:"weights"`
	Cases    []FileCase  `json:"cases"`
}

// FileWeights names the weights, or the file that describes them.
type FileWeights struct {
	Bin   string `json:"bin,omitempty"`
	Synth string `json:"synth,omitempty"`
}

// FileCase is one run.
type FileCase struct {
	Name    string       `json:"name"`
	Inputs  []FileInput  `json:"inputs"`
	Outputs []FileOutput `json:"outputs"`
}

// FileInput is an input, from a file of values, a picture or a seed.
type FileInput struct {
	Name  string    `json:"name"`
	Shape []int     `json:"shape_whc"`
	File  string    `json:"file,omitempty"`
	DType string    `json:"dtype,omitempty"`
	Seed  *uint64   `json:"seed,omitempty"`
	Amp   *float64  `json:"amp,omitempty"`
	PNG   string    `json:"png,omitempty"`
	Pixel string    `json:"pixel,omitempty"`
	Mean  []float64 `json:"mean,omitempty"`
	Norm  []float64 `json:"norm,omitempty"`
}

// FileOutput is an output and how near to it answers must be.
type FileOutput struct {
	Name     string  `json:"name"`
	Dims     int     `json:"dims"`
	W        int     `json:"w"`
	H        int     `json:"h"`
	D        int     `json:"d"`
	C        int     `json:"c"`
	File     string  `json:"file"`
	Tol      float64 `json:"tol,omitempty"`
	AfterNMS bool    `json:"after_nms,omitempty"`
	Type     string  `json:"type,omitempty"`
}

// Write writes the file for Read to read.
func (f *File) Write(path string) error {
	raw, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}
