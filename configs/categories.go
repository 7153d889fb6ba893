package configs

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"liandong/routing/category"
	"liandong/routing/ticket"
	"liandong/routing/verb"
)

func (*Category) bareKey() string { return "name" }

// Known are the categories of the file and of those that it names.
func (c *Config) Known() category.List { return slices.Clone(c.known) }

func (k *Category) kind(code string) category.Category {
	return category.Category{
		Code: code, Name: k.Name, Owner: k.Owner, Keywords: slices.Clone(k.Keywords), Modes: slices.Clone(k.Modes),
		Urgency: ticket.Urgency(k.Urgency), Answer: k.Answer,
	}
}

// categories puts those of the config and of its files together.
func (c *checker) categories() {
	c.known = nil
	c.kinds("categories", c.Categories)
	for i, path := range c.CategoryFiles {
		if path != "" { // reported when it was read
			key := index("category_files", i)
			c.kinds(key, c.categoryFile(key, path))
		}
	}
	slices.SortFunc(c.known, func(a, b category.Category) int { return strings.Compare(a.Code, b.Code) })
}

// kinds checks a table and takes it over.
func (c *checker) kinds(key string, table map[string]*Category) {
	for _, code := range sorted(table) {
		at, k := join(key, code), table[code]
		refers(c, at+".owner", k.Owner, c.Hotlines)
		if k.Urgency == string(ticket.Critical) {
			refers(c, "emergency", c.Emergency, c.Hotlines)
		}
		c.dialable(at, code)
		if _, twice := c.known.ByCode(code); twice {
			c.addName(at, textCodeTwice.of(code))
			continue
		}
		c.known = append(c.known, k.kind(code))
	}
}

// dialable: a code that no key of a desk can say would never be used. With no key for categories any will do.
func (c *checker) dialable(key, code string) {
	var keys []string
	for _, k := range sorted(c.Keys) {
		if c.Keys[k] != string(verb.Category) {
			continue
		}
		if strings.Count(k, "N") == len(code) {
			return
		}
		keys = append(keys, k)
	}
	if len(keys) > 0 {
		c.addName(key, textNoDial.of(code, keys))
	}
}

// categoryFile reads a table from a file of its own. What is wrong in it is reported with its name and lines.
func (c *checker) categoryFile(key, path string) map[string]*Category {
	src, fault := c.files.get(path, maxFile)
	if fault != nil {
		c.add(key, *fault)
		return nil
	}
	c.in = path
	if !filepath.IsAbs(path) {
		c.in = filepath.Join(c.files.dir, path)
	}
	defer func() { c.in = "" }()
	table := map[string]*Category{}
	root, ok := c.parse(src)
	if !ok {
		return nil
	}
	c.value(key, root, reflect.ValueOf(&table).Elem(), rule{keys: "digits"})
	for _, code := range sorted(table) {
		c.missing(join(key, code), reflect.ValueOf(table[code]))
	}
	return table
}
