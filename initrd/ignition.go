package initrd

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	ignitionPath = "/usr/bin/ignition"
	neednetPath  = "/run/ignition/neednet" // Ignition's way of asking for the network
	cachePath    = "/run/ignition.json"    // the config, once it is whole
	udevSocket   = "/run/udev/control"
	udevLimit    = time.Minute // on a host on which many machines start at once
)

// ignition runs the stages that the config has something for. Each takes most of a second where it is emulated.
func (b *Boot) ignition() error {
	if err := b.stage("fetch-offline"); err != nil {
		return err
	}
	if b.exists(neednetPath) && !b.exists(cachePath) {
		if err := b.fetch(); err != nil {
			return err
		}
	}
	want, err := b.wants()
	if err != nil {
		return err
	}
	if want.kargs {
		if err := b.stage("kargs"); err != nil {
			return err
		}
	}
	if want.disks {
		stop, err := b.startUdev()
		if err != nil {
			return err
		}
		defer stop()
		if err := b.stage("disks"); err != nil {
			return err
		}
	}
	if want.mount {
		if err := b.stage("mount"); err != nil {
			return err
		}
	}
	if err := b.stage("files"); err != nil {
		return err
	}
	if want.mount {
		return b.stage("umount") // the node's own units mount it
	}
	return nil
}

// stage runs one stage. Its log goes to the journal; the image's Ignition keeps what may be secret out of it.
func (b *Boot) stage(name string) error {
	b.say("Ignition, stage %s", name)
	out := b.out().log("ignition")
	defer out.Close()
	err := b.Machine.Run(out, ignitionPath, "--root=/", "--platform="+b.platform, "--stage="+name, "--log-to-stdout")
	if err != nil {
		return fmt.Errorf("ignition failed in stage %s: %w: the config cannot be had, or asks for what cannot be done", name, err)
	}
	return nil
}

// wanted is what a config has for the stages.
type wanted struct{ kargs, disks, mount bool }

// wants looks into the config that Ignition will use. https://coreos.github.io/ignition/configuration-v3_4/
func (b *Boot) wants() (wanted, error) {
	data, err := os.ReadFile(b.path(cachePath))
	if err != nil {
		return wanted{}, fmt.Errorf("reading the config that Ignition found: %w", err)
	}
	var config struct {
		KernelArguments struct{ ShouldExist, ShouldNotExist []any }
		Storage         struct{ Disks, Raid, Luks, Filesystems []any }
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return wanted{}, errors.New("reading the config that Ignition found: it is no JSON") // its text may be secret
	}
	s := config.Storage
	return wanted{
		kargs: len(config.KernelArguments.ShouldExist)+len(config.KernelArguments.ShouldNotExist) > 0,
		disks: len(s.Disks)+len(s.Raid)+len(s.Luks)+len(s.Filesystems) > 0,
		mount: len(s.Filesystems) > 0,
	}, nil
}

// startUdev runs the root's udevd: it loads the drivers that only the root has, and makes the links by which configs name
// devices.
func (b *Boot) startUdev() (stop func(), err error) {
	b.say("starting udevd, which the config needs")
	out := b.out().log("udevd")
	stop, err = b.Machine.Start(out, "/usr/lib/systemd/systemd-udevd")
	if err != nil {
		return nil, fmt.Errorf("starting udevd: %w", err)
	}
	// udevadm asks whether it is ready, but does not wait for it to listen.
	for end := b.Machine.Now().Add(udevLimit); !b.exists(udevSocket) && b.Machine.Now().Before(end); {
		b.Machine.Sleep(20 * time.Millisecond)
	}
	for _, argv := range [][]string{
		{"udevadm", "control", "--ping", "--timeout=60"},
		{"udevadm", "trigger", "--type=subsystems", "--action=add"},
		{"udevadm", "trigger", "--type=devices", "--action=add"},
		{"udevadm", "settle", "--timeout=120"},
	} {
		if err := b.run(argv...); err != nil {
			stop()
			return nil, fmt.Errorf("starting udevd: %w", err)
		}
	}
	return stop, nil
}

const (
	networkFile = "/run/systemd/network/20-slipway-fetch.network"
	// everyCard is used while Ignition fetches, and gone before the system starts.
	everyCard = "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n"
	// resolvConf is where the image's /etc/resolv.conf leads to.
	resolvConf    = "/run/systemd/resolve/stub-resolv.conf"
	networkdState = "/run/systemd/netif/state"
	machineID     = "/etc/machine-id"
	lentID        = "/run/slipway-machine-id"
)

// fetch runs the stage that needs the network, with the root's own networkd on every card. Only DHCP can give an address
// before there is a config.
func (b *Boot) fetch() error {
	stopUdev, err := b.startUdev()
	if err != nil {
		return err
	}
	defer stopUdev()
	b.say("starting the network, which the config needs")
	if err := b.write(networkFile, everyCard); err != nil {
		return err
	}
	defer os.Remove(b.path(networkFile))
	away, err := b.lendMachineID()
	if err != nil {
		return err
	}
	defer away()
	// What systemd's RuntimeDirectory= would make.
	if err := b.run("systemd-tmpfiles", "--create", "--prefix=/run/systemd"); err != nil {
		b.say("not all of /run was made: %v", err)
	}
	stop, err := b.Machine.Start(b.out().log("networkd"), "/usr/lib/systemd/systemd-networkd")
	if err != nil {
		return fmt.Errorf("starting the network: %w", err)
	}
	defer stop()
	if err := b.run("/usr/lib/systemd/systemd-networkd-wait-online", "--any", "--timeout=120"); err != nil {
		return errors.New("the node's config is to be fetched from the network, and DHCP gave no address within 120 s")
	}
	if err := b.write(resolvConf, nameservers(b.read(networkdState))); err != nil {
		return err
	}
	defer os.Remove(b.path(resolvConf))
	return b.stage("fetch")
}

// lendMachineID puts a machine's id over the image's, which says that there is none yet: without one nobody speaks DHCP. The
// real one is made by systemd, which knows a first boot by the lack of it.
func (b *Boot) lendMachineID() (away func(), err error) {
	if err := b.write(lentID, hex.EncodeToString(b.random())+"\n"); err != nil {
		return nil, err
	}
	if err := b.Machine.Mount(lentID, machineID, "", bind, ""); err != nil {
		return nil, fmt.Errorf("lending a machine id: %w", err)
	}
	return func() {
		b.Machine.Unmount(machineID)
		os.Remove(b.path(lentID))
	}, nil
}

func (b *Boot) write(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.path(name), []byte(text), 0o644)
}

// nameservers makes a resolv.conf(5) of what networkd says of its links.
func nameservers(state string) string {
	var out strings.Builder
	for line := range strings.Lines(state) {
		if servers, ok := strings.CutPrefix(strings.TrimSpace(line), "DNS="); ok {
			for _, server := range strings.Fields(servers) {
				fmt.Fprintf(&out, "nameserver %s\n", server)
			}
		}
	}
	return out.String()
}
