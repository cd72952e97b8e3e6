package main

import (
	"bytes"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slipway/firstboot/status"
	"slipway/qemu"
)

func newQEMUStatusCmd(s streams, shared *qemuOptions) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show which nodes run, their ports and how far they are",
		Long:    "Shows which nodes run, where they are reached, and the last status that each printed on its serial console.\n\n" + exitCodeHelp,
		Example: "  slipway qemu status\n  slipway qemu status --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			return runQEMUStatus(s, *shared, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON")
	return cmd
}

func runQEMUStatus(s streams, o qemuOptions, asJSON bool) error {
	m, err := o.manager(s)
	if err != nil {
		return err
	}
	all, err := m.Status()
	if err != nil {
		return err
	}
	if asJSON {
		s.reports(all)
		return nil
	}
	return printQEMUStatus(s, all)
}

func printQEMUStatus(s streams, all []qemu.Status) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tMACHINE\tPID\tAPI\tPEER API\tSTATUS")
	for _, st := range all {
		row := [...]string{"no disk", "-", "-", "-", "-"}
		if st.Disk {
			row[0] = "off"
		}
		if st.Running {
			row = [...]string{"running (" + string(st.Accel) + ")", fmt.Sprint(st.PID),
				fmt.Sprintf("127.0.0.1:%d", st.Ports.API), fmt.Sprintf("127.0.0.1:%d", st.Ports.Peer), lastStatus(st.Serial)}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", st.Node, row[0], row[1], row[2], row[3], row[4])
	}
	return w.Flush()
}

// lastStatus is what the node said last since it was switched on.
func lastStatus(serial string) string {
	data, err := os.ReadFile(serial)
	if err != nil {
		return "-"
	}
	_, data, _ = cutLast(data, []byte(qemu.PowerMark))
	_, data, found := cutLast(data, []byte(status.Prefix))
	line, _, _ := bytes.Cut(data, []byte("\n"))
	doc, ok := status.ParseLine(status.Prefix + string(line))
	if !found || !ok {
		return "booting"
	}
	return describe(reply{Document: doc})
}

// cutLast is bytes.Cut at the last sep; without one, everything comes after.
func cutLast(s, sep []byte) (before, after []byte, found bool) {
	i := bytes.LastIndex(s, sep)
	if i < 0 {
		return nil, s, false
	}
	return s[:i], s[i+len(sep):], true
}
