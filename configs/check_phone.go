package configs

import "slices"

func (c *checker) phones() {
	if len(c.Phones) > 0 && c.Realm == "" && !c.faulty("realm") {
		c.add("realm", textNeedsRealm.of())
	}
	for _, user := range sorted(c.Phones) {
		p, key := c.Phones[user], join("phones", user)
		if c.has(key) {
			continue
		}
		if c.network(key, p.Network) {
			c.phoneTLS(key, p)
		}
		if p.Hotline == "" && !c.faulty(key+".hotline") {
			c.add(key+".hotline", textMissing.of(textOneOf.of(c.withSeats())))
		}
		if p.Password.IsZero() && p.PasswordFile == "" && !c.faulty(key+".password") {
			c.add(key+".password", textNeedsPass.of())
		}
		if refers(c, key+".hotline", p.Hotline, c.Hotlines) {
			c.seated(key, user, p.Hotline)
		}
	}
}

// seated: a phone whose hotline does not ring it is a desk that waits in vain.
func (c *checker) seated(key, user, id string) {
	h := c.Hotlines[id]
	switch {
	case h.Trunk != "":
		c.add(key+".hotline", textPhoneTrunk.of(id, c.withSeats()))
	case !slices.Contains(h.Seats, user) && !c.faulty(join(join("hotlines", id), "seats")):
		c.addName(key, textSeatMissing.of(id))
	}
}

func (c *checker) withSeats() (ids []string) {
	for _, id := range sorted(c.Hotlines) {
		if c.Hotlines[id].Trunk == "" {
			ids = append(ids, id)
		}
	}
	return ids
}
