package configs

import (
	"slices"

	"liandong/routing/desk"
)

// What somebody may do who signs in to the console; supervisor and admin are as by HTTP.
const (
	RoleTaker    = "taker"    // has the calls of one seat, and sees those of the lines
	RoleManager  = "manager"  // reads the indicators of the lines
	RoleEngineer = "engineer" // sees all calls and figures, and does nothing
)

// Person is somebody who signs in to the console.
type Person struct {
	Name  string
	Role  string
	Lines []string // of taker, supervisor and manager; empty: all
	// of a taker: his seat, "": he names it himself; of a supervisor: the phone that is rung for him, "": none
	Phone    string
	Password desk.Secret
}

// lined: these have lines, the others have all of them.
var lined = []string{RoleTaker, RoleSupervisor, RoleManager}

func (c *Config) people() (all []Person) {
	for _, name := range sorted(c.HTTP.Users) {
		u := c.HTTP.Users[name]
		all = append(all, Person{
			Name: name, Role: u.Role, Lines: c.linesOf(u), Phone: u.Phone, Password: u.Password,
		})
	}
	return all
}

// linesOf are a user's lines: where none are named, that of the phone.
func (c *Config) linesOf(u *User) []string {
	if p, ok := c.Phones[u.Phone]; ok && len(u.Hotlines) == 0 {
		return []string{p.Hotline}
	}
	return slices.Clone(u.Hotlines)
}

// consoleKey is the key of one address: a single one stands without brackets.
func (c *Config) consoleKey(i int) string {
	if len(c.HTTP.Console.Listen) == 1 {
		return "http.console.listen"
	}
	return index("http.console.listen", i)
}

// console checks who looks at the switch, and that passwords do not pass in the clear.
func (c *checker) console() {
	at := c.HTTP.Console
	c.webTLS("http.console", len(at.Listen) > 0, at.CertFile, at.KeyFile)
	for _, name := range sorted(c.HTTP.Users) {
		c.user(join("http.users", name), c.HTTP.Users[name])
	}
	for i, l := range at.Listen {
		if l.IsValid() && !l.Addr().IsLoopback() && at.CertFile == "" && !c.faulty("http.console.cert_file") {
			c.warn(c.consoleKey(i), textConsoleClear.of())
		}
	}
	switch open := len(at.Listen) > 0; {
	case open && len(c.HTTP.Users) == 0 && !c.faulty("http.users"):
		c.add(c.consoleKey(0), textConsoleNobody.of())
	case !open && len(c.HTTP.Users) > 0 && !c.faulty("http.console"):
		c.warn("http.users", textConsoleOff.of())
	}
}

func (c *checker) user(key string, u *User) {
	if c.has(key) {
		return
	}
	switch {
	case u.Password.IsZero() && !c.faulty(key+".password") && !c.faulty(key+".password_file"):
		c.addName(key, textUserPassword.of())
	case !u.Password.IsZero() && !isPlaceholder(u.Password):
		if _, err := parseHash(u.Password.Reveal()); err != nil {
			c.add(c.secretKey(key, "password", u.PasswordFile), textUserHash.of())
		}
	}
	hasLines := slices.Contains(lined, u.Role)
	needs := hasLines && u.Role != RoleManager && len(c.linesOf(u)) == 0
	switch {
	case needs && !c.faulty(key+".hotlines") && !c.faulty(key+".phone"):
		c.addName(key+".hotlines", textMissing.of(textItems.of(textOneOf.of(c.HotlineIDs()))))
	case !hasLines && len(u.Hotlines) > 0 && !c.faulty(key+".role"):
		c.add(key+".hotlines", textUserLines.of())
	}
	for i, id := range u.Hotlines {
		refers(c, index(key+".hotlines", i), id, c.Hotlines)
	}
	c.userPhone(key, u)
}

// userPhone: a taker has the seat of a phone of one of his lines; a supervisor has a phone that may look after one of
// his.
func (c *checker) userPhone(key string, u *User) {
	switch {
	case u.Phone == "" || !refers(c, key+".phone", u.Phone, c.Phones):
	case u.Role == RoleSupervisor && !c.faulty(key+".hotlines"):
		if !slices.ContainsFunc(c.linesOf(u), func(id string) bool {
			h, ok := c.Hotlines[id]
			return !ok || slices.Contains(h.Supervisors, u.Phone)
		}) {
			c.add(key+".phone", textUserWatches.of(u.Phone))
		}
	case u.Role != RoleTaker:
		c.add(key+".phone", textUserTaker.of())
	case len(u.Hotlines) > 0 && !slices.Contains(u.Hotlines, c.Phones[u.Phone].Hotline):
		c.add(key+".phone", textUserSeat.of(u.Phone, c.Phones[u.Phone].Hotline))
	}
}
