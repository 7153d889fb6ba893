package ua

import "testing"

// A reload lets other phones in at once; who is registered stays so, and its next password is the new one.
func TestReload(t *testing.T) {
	r := newRig(t, nil)
	stays, goes := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256"), newPhone(r.udp("127.0.0.1"), "1102", "SHA-256")
	for _, p := range []*phone{stays, goes} {
		wantCode(t, p.register(p.contact()), 200)
	}
	cfg := labConfig()
	user := cfg.Users["1101"]
	delete(cfg.Users, "1102")
	cfg.Users["1199"], user.Password = User{Password: "lab-1199", Network: user.Network}, "another"
	cfg.Users["1101"] = user
	if err := r.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	if len(r.Locate("1101")) != 1 {
		t.Error("a phone that was registered is not any more")
	}
	fresh := newPhone(r.udp("127.0.0.1"), "1199", "SHA-256")
	wantCode(t, fresh.register(fresh.contact()), 200)
	wantCode(t, stays.register(stays.contact()), 403)
	stays.password = "another"
	wantCode(t, stays.register(stays.contact()), 200)
	if a := goes.register(goes.contact()); code(t, a) < 400 {
		t.Errorf("a phone that was taken out registers\n%s", a)
	}
}
