package vsphere

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25/types"
)

// expire ends both sessions of the lab's client, by another client.
func (l *lab) expire() {
	l.t.Helper()
	other := l.connect()
	mine, err := session.NewManager(l.bare).UserSession(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	if mine != nil { // it may have ended before
		if err := session.NewManager(other.bare).TerminateSession(l.t.Context(), []string{mine.Key}); err != nil {
			l.t.Fatal(err)
		}
	}
	id := rest.NewClient(l.bare)
	id.SessionID(l.rest.SessionID())
	if err := id.Logout(l.t.Context()); err != nil && !rest.IsStatusError(err, http.StatusUnauthorized) { // as above
		l.t.Fatal(err)
	}
}

// TestSessionExpires between any two actions of import and deploy: both log in again and go on.
func TestSessionExpires(t *testing.T) {
	l := newLab(t)
	l.expire()
	if _, err := l.imports(wantImport(image(t, testOVA(t, "disk")))); err != nil {
		t.Fatal(err)
	}
	w := want()
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	before := l.count()
	turn := make(chan struct{}, 1) // nodes are waited for all at once: here one after the other, to end the session between two calls
	turn <- struct{}{}
	err = l.Deploy(t.Context(), w, h, p, Hooks{
		Wait: func(context.Context, string) error { <-turn; return nil },
		Did: func(a Action) {
			l.expire()
			if a.Do == Scrub {
				turn <- struct{}{}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.count()-before < len(p)/2 {
		t.Errorf("%d new sessions for %d actions", l.count()-before, len(p))
	}
}

// TestLogout of a session that has ended by itself is no failure, and one that cannot be ended is.
func TestLogout(t *testing.T) {
	l := newLab(t)
	l.expire()
	if err := l.Close(t.Context()); err != nil {
		t.Errorf("expired: %v", err)
	}
	l.Client = l.connect()
	l.fails("Logout", &types.SystemError{}, "vpxd is tired", 1)
	if err := l.Close(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "logging out: ") || !strings.Contains(err.Error(), "vpxd is tired") {
		t.Errorf("got %v", err)
	}
}

// TestSessionCannotBeRenewed: one try, then an error without the password.
func TestSessionCannotBeRenewed(t *testing.T) {
	l := newLab(t).withTemplate()
	l.expire()
	l.fails("CreateContainerView", &types.NotAuthenticated{}, "The session is not authenticated.", 0)
	l.fails("RetrievePropertiesEx", &types.NotAuthenticated{}, "The session is not authenticated.", 0)
	l.fails("RetrieveProperties", &types.NotAuthenticated{}, "The session is not authenticated.", 0)
	before := l.count()
	_, err := l.deploys(want())
	if err == nil || !strings.Contains(err.Error(), "not authenticated") || l.count()-before != 1 {
		t.Errorf("%d logins, %v", l.count()-before, err)
	}
	l.model.Service.ClearFaultRules()
	l.Client = l.connect()
	l.expire()
	l.fails("Login", &types.InvalidLogin{}, "Cannot complete login due to an incorrect user name or password.", 0)
	_, err = l.deploys(want())
	if err == nil || !strings.Contains(err.Error(), "logging in again failed: ") || !strings.Contains(err.Error(), "incorrect user name") || strings.Contains(err.Error(), password) {
		t.Errorf("got %v", err)
	}
}
