package couchserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName = "AuthSession"
	// sessionLife is how long a cookie is good for, CouchDB's default.
	sessionLife = 10 * time.Minute
)

// authenticate reports whether a request comes from the administrator. Wrong
// credentials are an error, none are not.
func (s *Server) authenticate(r *http.Request) (admin bool, err error) {
	if s.username == "" {
		return true, nil
	}
	if username, password, given := r.BasicAuth(); given {
		if !s.right(username, password) {
			return false, errCredentials
		}
		return true, nil
	}
	if cookie, err := r.Cookie(cookieName); err == nil && cookie.Value != "" {
		return s.validToken(cookie.Value, time.Now()), nil
	}
	return false, nil
}

func (s *Server) right(username, password string) bool {
	return subtle.ConstantTimeCompare([]byte(username), []byte(s.username)) == 1 &&
		subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) == 1
}

// session answers /_session: log in, log out, who am I.
func (s *Server) session(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodPost:
		username, password, err := credentials(w, r)
		if err != nil {
			return err
		}
		if s.username != "" && !s.right(username, password) {
			return errCredentials
		}
		now := time.Now()
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: s.token(now), Path: "/", HttpOnly: true,
			Expires: now.Add(sessionLife), MaxAge: int(sessionLife / time.Second),
		})
		return send(w, http.StatusOK, map[string]any{"ok": true, "name": username, "roles": []string{"_admin"}})
	case http.MethodDelete:
		http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, MaxAge: -1})
		return send(w, http.StatusOK, map[string]bool{"ok": true})
	case http.MethodGet, http.MethodHead:
		admin, err := s.authenticate(r)
		if err != nil {
			return err
		}
		user := map[string]any{"name": nil, "roles": []string{}}
		if admin {
			user["roles"] = []string{"_admin"}
			if s.username != "" {
				user["name"] = s.username
			}
		}
		return send(w, http.StatusOK, map[string]any{
			"ok": true, "userCtx": user, "info": map[string]any{"authentication_handlers": []string{"cookie", "default"}},
		})
	}
	return notAllowed("GET,HEAD,POST,DELETE")
}

// credentials reads a name and a password from a form or from JSON.
func credentials(w http.ResponseWriter, r *http.Request) (username, password string, err error) {
	const limit = 1 << 16
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		if r.ParseForm() != nil {
			return "", "", badRequest("invalid form")
		}
		return r.PostForm.Get("name"), r.PostForm.Get("password"), nil
	}
	var c struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	text, err := readAll(r.Body, r.ContentLength, limit)
	if err != nil {
		return "", "", err
	}
	if json.Unmarshal(text, &c) != nil {
		return "", "", badRequest("request body must contain a username")
	}
	return c.Name, c.Password, nil
}

// token is what a cookie holds: when it was made, signed.
func (s *Server) token(now time.Time) string {
	made := strconv.FormatInt(now.Unix(), 16)
	return made + "." + base64.RawURLEncoding.EncodeToString(s.sign(made))
}

func (s *Server) validToken(token string, now time.Time) bool {
	made, signature, _ := strings.Cut(token, ".")
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.sign(made)) {
		return false
	}
	seconds, err := strconv.ParseInt(made, 16, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)) < sessionLife
}

func (s *Server) sign(text string) []byte {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// open reports whether others than the administrator may use a database.
func (db *database) open() bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.public
}

// security reads or writes who may use a database: everyone, if it names no
// members.
func (c *call) security() error {
	switch c.method {
	case http.MethodGet:
		c.db.mu.RLock()
		text := append([]byte(nil), c.db.security...)
		c.db.mu.RUnlock()
		sendText(c.w, http.StatusOK, text)
		return nil
	case http.MethodPut:
		text, err := c.body(maxDocument)
		if err != nil {
			return err
		}
		var object struct {
			Members struct {
				Names []string `json:"names"`
				Roles []string `json:"roles"`
			} `json:"members"`
		}
		if _, err := parseObject(text, "Security object must be a JSON object"); err != nil {
			return err
		}
		if json.Unmarshal(text, &object) != nil {
			return badRequest("no_majority: members must have lists of names and roles")
		}
		c.db.mu.Lock()
		c.db.security = text
		c.db.public = len(object.Members.Names) == 0 && len(object.Members.Roles) == 0
		c.db.mu.Unlock()
		return send(c.w, http.StatusOK, map[string]bool{"ok": true})
	}
	return notAllowed("PUT,GET")
}

func newID() string {
	var id [16]byte
	rand.Read(id[:]) // It never fails.
	return hex.EncodeToString(id[:])
}
