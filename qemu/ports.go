package qemu

import (
	"fmt"
	"net"
)

// assignPorts gives every machine of the lab its forwards: the user's choice, else those it had, else free ones.
// A node that runs, and all nodes while what several share runs, keep what they have.
func (u upper) assignPorts() error {
	used := map[int]bool{}
	for _, ms := range u.st.Machines {
		used[ms.Ports.API], used[ms.Ports.Peer] = true, true
	}
	for _, m := range u.lab.Machines {
		ms := u.st.Machines[m.Name]
		if ms.Process.alive() || ((u.st.Switch.alive() || u.st.Network.alive()) && ms.Ports != (Ports{})) {
			continue
		}
		fixed := u.req.Fixed[m.Name]
		var err error
		if ms.Ports.API, err = assignPort(m.Name, "the API", fixed.API, ms.Ports.API, used); err != nil {
			return err
		}
		if ms.Ports.Peer, err = assignPort(m.Name, "the peer API", fixed.Peer, ms.Ports.Peer, used); err != nil {
			return err
		}
		u.st.Machines[m.Name] = ms
	}
	return nil
}

// assignPort takes fixed if given and free, else the port of last time if that is free, else a free one not in used.
func assignPort(node, what string, fixed, last int, used map[int]bool) (int, error) {
	if fixed != 0 {
		if _, err := freePort(fixed); err != nil {
			return 0, errPortTaken(node, what, fixed)
		}
		return fixed, nil
	}
	if last != 0 {
		if port, err := freePort(last); err == nil {
			return port, nil
		}
	}
	for {
		port, err := freePort(0)
		if err != nil {
			return 0, err
		}
		if !used[port] {
			used[port] = true
			return port, nil
		}
	}
}

// freePort asks the kernel for that port of 127.0.0.1, 0 for any, and gives it back at once: QEMU takes it a moment
// later and says so if somebody was quicker.
func freePort(port int) (int, error) {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
