package cmd_test

import (
	"bytes"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

const (
	columns  = 120 // of a line of code or comment
	tabStops = 4   // columns of a tab
)

// Lines of code and comment are at most 120 columns wide. A string that cannot be broken may reach over the edge.
func TestLinesFit(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range wideLines(text) {
			t.Errorf("%s:%d: more than %d columns", path, line, columns)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wideLines are the numbers of the lines that are too wide.
func wideLines(text []byte) (wide []int) {
	edge := map[int]bool{} // lines in which a string lies over the edge
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(text))
	lines := bytes.Split(text, []byte("\n"))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	for {
		at, kind, literal := s.Scan()
		if kind == token.EOF {
			break
		}
		if kind != token.STRING {
			continue
		}
		first, inner := file.Line(at), bytes.Count([]byte(literal), []byte("\n"))
		line, begin := lines[first-1], file.Position(at).Column-1
		end := min(begin+len(literal), len(line))
		if inner > 0 || width(line[:begin]) < columns && width(line[:end]) > columns {
			for i := range inner + 1 {
				edge[first+i] = true
			}
		}
	}
	for i, line := range lines {
		if width(line) > columns && !edge[i+1] {
			wide = append(wide, i+1)
		}
	}
	return wide
}

func width(line []byte) int {
	return utf8.RuneCount(line) + (tabStops-1)*bytes.Count(line, []byte("\t"))
}

func TestWideLines(t *testing.T) {
	pad := string(bytes.Repeat([]byte("x"), columns))
	text := "package p\n\n// " + pad + "\nvar a = \"" + pad + "\"\nvar b" + pad + " = \"\"\nvar c = `\n" + pad + "1`\n\t\tx := 1 // " +
		pad[:columns-14] + "\n"
	if got := wideLines([]byte(text)); len(got) != 3 || got[0] != 3 || got[1] != 5 || got[2] != 8 {
		t.Errorf("too wide are %v", got)
	}
}
