package firstboot

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// server is an API server as a balancer sees it.
type server struct {
	name string
	live bool   // it takes new sessions, and was asked before
	why  string // ... and why not
}

// readServers reads what haproxy prints for "show stat BACKEND 4 -1": CSV with a line of names first (management.txt, section 9.1).
func readServers(table string) ([]server, error) {
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(table, "# "))).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(errors.New("reading haproxy's servers: it is no table"), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, name := range []string{"svname", "status", "check_status", "check_desc", "last_chk"} {
		if _, has := column[name]; !has {
			return nil, fmt.Errorf("reading haproxy's servers: there is no column %q", name)
		}
	}
	var servers []server
	for _, row := range rows[1:] {
		of := func(name string) string { return row[column[name]] }
		check := strings.TrimPrefix(of("check_status"), "* ")                                           // a check is under way
		s := server{name: of("svname"), live: strings.HasPrefix(of("status"), "UP") && !unasked(check)} // new ones are UP on trust
		if !s.live {
			s.why = reason(check, of("check_desc"), of("last_chk"))
		}
		servers = append(servers, s)
	}
	return servers, nil
}

func unasked(check string) bool { return check == "INI" || check == "" }

func reason(check, description, last string) string {
	switch {
	case unasked(check):
		return "not asked yet"
	case check == "L7OKC":
		return "it says that it is not ready"
	case last != "":
		return last
	}
	return description
}

// judgeServers is done when a balancer has somebody to balance to.
func judgeServers(servers []server) Finding {
	if slices.ContainsFunc(servers, func(s server) bool { return s.live }) {
		return OK()
	}
	var all []string
	for _, s := range servers {
		all = append(all, fmt.Sprintf("%s (%s)", s.name, s.why))
	}
	return Wait("an API server to be ready: " + strings.Join(all, ", "))
}
