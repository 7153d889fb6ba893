package configs

func (c *checker) phones() {
	if len(c.Phones) > 0 && c.Realm == "" && !c.faulty("realm") {
		c.add("realm", textNeedsRealm.of())
	}
	seats, supervisors := map[string]map[string]bool{}, map[string]bool{}
	for id, h := range c.Hotlines {
		seats[id] = map[string]bool{}
		for _, user := range h.Supervisors {
			supervisors[user] = true
		}
		for _, user := range h.Seats {
			seats[id][user] = true
		}
	}
	for _, user := range c.inOrder() {
		p, key := c.Phones[user], join("phones", user)
		if c.has(key) {
			continue
		}
		if c.network(key, p.Network) {
			c.phoneTLS(key, p)
		}
		if p.Password.IsZero() && p.PasswordFile == "" && !c.faulty(key+".password") {
			c.add(key+".password", textNeedsPass.of())
		}
		switch h, ok := c.Hotlines[p.Hotline]; {
		case ok && h.Trunk == "" && (seats[p.Hotline][user] || supervisors[user]): // as most are
		case p.Hotline == "" && !c.faulty(key+".hotline"):
			c.add(key+".hotline", textMissing.of(textOneOf.of(c.withSeats())))
		case refers(c, key+".hotline", p.Hotline, c.Hotlines):
			c.seated(key, p.Hotline, seats[p.Hotline][user] || supervisors[user])
		}
	}
}

// seated: a phone whose hotline does not ring it is a desk that waits in vain.
func (c *checker) seated(key, id string, listed bool) {
	switch {
	case c.Hotlines[id].Trunk != "":
		c.add(key+".hotline", textPhoneTrunk.of(id, c.withSeats()))
	case !listed && !c.faulty(join(join("hotlines", id), "seats")):
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
