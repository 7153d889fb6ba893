package main

import (
	"archive/tar"
	"bytes"
	"path"
	"slices"
	"time"
)

// tarred is a tar of files of root, in the order in which they are given, each directory before what is in it.
func tarred(files []file, prefix string, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var dirs []string
	var into func(dir string) error
	into = func(dir string) error {
		if dir == "." || slices.Contains(dirs, dir) {
			return nil
		}
		if err := into(path.Dir(dir)); err != nil {
			return err
		}
		dirs = append(dirs, dir)
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: at,
			Format: tar.FormatUSTAR})
	}
	for _, f := range files {
		name := prefix + f.path
		if err := into(path.Dir(name)); err != nil {
			return nil, err
		}
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: f.mode, Size: int64(len(f.data)),
			ModTime: at,
			Format:  tar.FormatUSTAR})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func tarGz(files []file, prefix string, at time.Time) ([]byte, error) {
	data, err := tarred(files, prefix, at)
	return zipped(data), err
}
