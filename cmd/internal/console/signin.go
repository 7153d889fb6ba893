package console

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"sync"
	"time"

	"liandong/configs"
)

// nobody is the hash of no password that anybody has: who does not exist takes as long as who does. It costs 64 MB and
// a tenth of a second, which a process spends with its first sign-in and not as it starts.
var nobody = sync.OnceValue(func() string {
	return configs.HashPassword(secret(), []byte(secret())[:configs.SaltLength])
})

const (
	mostWords = 512             // bytes of a user's name or password
	mostForm  = 4 << 10         // bytes of a form
	queueing  = 5 * time.Second // for how long a sign-in waits for those before it
)

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.visit(r); ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.show(w, r, http.StatusOK, "signin", data{Title: pair{"登录", "Sign in"}})
}

// signIn checks a password. What is wrong is not told apart.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	name, password := r.PostFormValue("user"), r.PostFormValue("password")
	keys := []string{source(r), userKey + name}
	if wait := s.throttle.wait(s.now(), keys...); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		s.again(w, r, http.StatusTooManyRequests, pair{"尝试过多，请稍后再试", "Too many tries; wait a moment"})
		return
	}
	select {
	case s.checking <- struct{}{}:
		defer func() { <-s.checking }()
	case <-time.After(queueing):
		s.again(w, r, http.StatusServiceUnavailable, pair{"系统忙，请再试一次", "Busy; try once more"})
		return
	case <-r.Context().Done():
		return
	}
	who, known := s.person(name)
	hash := nobody() // whoever it is
	if known {
		hash = who.Password.Reveal()
	}
	fits := len(name) <= mostWords && len(password) <= mostWords && configs.PasswordFits(hash, password)
	if !fits || !known {
		s.throttle.failed(s.now(), keys...)
		if !known {
			name = "unknown" // it may be a password in the wrong field
		}
		s.audit(r, "a sign-in failed", "user", name)
		s.again(w, r, http.StatusUnauthorized, pair{"用户名或密码不对", "The user or the password is wrong"})
		return
	}
	s.throttle.fine(userKey + name)
	if c, err := r.Cookie(cookie(r)); err == nil { // whoever was signed in there is not any more
		s.sessions.end(c.Value)
	}
	token := s.sessions.begin(name, hash, who.Phone, s.now(), s.conf().Idle)
	http.SetCookie(w, &http.Cookie{
		Name: cookie(r), Value: token, Path: "/", HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteStrictMode,
	})
	s.audit(r, "signed in", "user", name, "role", who.Role)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) again(w http.ResponseWriter, r *http.Request, status int, why pair) {
	s.show(w, r, status, "signin", data{Title: pair{"登录", "Sign in"}, Fault: why})
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	s.sessions.end(v.token)
	http.SetCookie(w, &http.Cookie{Name: cookie(r), Path: "/", MaxAge: -1, HttpOnly: true, Secure: secure(r),
		SameSite: http.SameSiteStrictMode})
	s.audit(r, "signed out", "user", v.name)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

// sit notes at which seat of his lines a taker sits whom the config gives none.
func (s *Server) sit(w http.ResponseWriter, r *http.Request) {
	v, seat := visitOf(r), r.PostFormValue("seat")
	at, ok := s.conf().Seats[seat]
	if v.who.Role != configs.RoleTaker || v.who.Phone != "" || !ok || !contains(v.who.Lines, at.Hotline) {
		http.Error(w, noSeat.in(s.lang(r)), http.StatusForbidden)
		return
	}
	s.sessions.sit(v.token, seat)
	s.audit(r, "a seat is taken", "user", v.name, "seat", seat)
	http.Redirect(w, r, "/desk", http.StatusSeeOther)
}
