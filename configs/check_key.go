package configs

import (
	"slices"
	"strings"

	"liandong/routing/verb"
)

func verbNames() []string {
	names := make([]string, len(verb.Names))
	for i, n := range verb.Names {
		names[i] = string(n)
	}
	return names
}

// keyFault asks the keymap whether it would take a code, and says why not.
func keyFault(code, name string) *message {
	if _, err := verb.NewKeymap(map[string]string{code: name}); err == nil {
		return nil
	}
	switch {
	case !slices.Contains(verbNames(), name):
		return ptr(textKeyVerb.of(name, verbNames()))
	case (name == string(verb.Category)) != strings.Contains(code, "N"):
		return ptr(textKeyCategory.of())
	}
	return ptr(textKeyCode.of())
}

// keysClash says that two codes, good by themselves, cannot stand side by side.
func keysClash(a, b string, keys map[string]string) bool {
	_, err := verb.NewKeymap(map[string]string{a: keys[a], b: keys[b]})
	return err != nil
}
