package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"liandong/configs"
)

type passwd struct{ speaking }

// minSignIn is the shortest password that is taken.
const minSignIn = 10

// Run asks for a password, on a terminal twice and unseen, and prints its hash for a config.
func (passwd) Run(ctx context.Context, stdout io.Writer, lang spokenLang) error {
	if was, err := term.GetState(int(os.Stdin.Fd())); err == nil { // one that was interrupted shows nothing any more
		defer func() { _ = term.Restore(int(os.Stdin.Fd()), was) }()
	}
	password, err := answered(ctx, func() (string, error) { return readPassword(os.Stdin, string(lang)) })
	if err != nil {
		return err
	}
	if len(password) < minSignIn {
		return errors.New(both(string(lang), "passwd: 密码至少 10 个字符", "passwd: a password has at least 10 characters"))
	}
	salt := make([]byte, configs.SaltLength)
	_, _ = rand.Read(salt) // never fails, crypto/rand says
	_, err = fmt.Fprintln(stdout, configs.HashPassword(password, salt))
	return err
}

func readPassword(in *os.File, lang string) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && line == "" {
			return "", errors.New(both(lang, "passwd: 没有输入密码", "passwd: no password was given"))
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var twice [2]string
	for i, ask := range []string{both(lang, "密码：", "password: "), both(lang, "再输入一次：", "once more: ")} {
		fmt.Fprint(os.Stderr, ask)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("passwd: %w", err)
		}
		twice[i] = string(b)
	}
	if twice[0] != twice[1] {
		return "", errors.New(both(lang, "passwd: 两次不一样", "passwd: the two differ"))
	}
	return twice[0], nil
}
