package initrd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"slipway/initrd/gpt"
	"slipway/initrd/verity"
)

// world is a folder that stands for / of a machine with two consoles, and a Machine that writes down what is done to it.
type world struct {
	t    *testing.T
	dir  string
	mu   sync.Mutex // modules are loaded from many sides
	done []string
	now  time.Time

	fails  map[string]error                 // what begins so, fails
	runs   map[string]func(io.Writer) error // what a program does, by its words
	events []func()                         // what the kernel tells of, one after the other
	syncs  int                              // how many more succeed; negative: all
}

const (
	hash    = "abababababababababababababababababcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	espGUID = "11111111-2222-3333-4444-555555555555"
	mib     = 1 << 20
)

var dataGUID, treeGUID = guidOf(hash[:32]), guidOf(hash[32:])

func guidOf(digits string) string {
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Unix(1780000000, 0), fails: map[string]error{}, runs: map[string]func(io.Writer) error{}, syncs: -1}
	w.put("sys/class/tty/console/active", "tty0 ttyS0\n")
	for _, name := range []string{"dev/tty0", "dev/ttyS0", "dev/kmsg", "proc/sysrq-trigger", "proc/sys/kernel/printk_devkmsg"} {
		w.put(name, "")
	}
	w.put("proc/cmdline", "rootfstype=squashfs ro roothash="+hash+"\n")
	w.put("modules/modules.dep", "dm_verity.ko: dm_mod.ko\ndm_mod.ko:\next4.ko:\noverlay.ko:\nvirtio_blk.ko:\nsquashfs.ko:\n")
	w.put("modules/modules.alias", "alias virtio:d00000002v* virtio_blk\n")
	return w
}

// boot is a boot of this world.
func (w *world) boot() *Boot { return &Boot{Root: w.dir, Machine: w, cmdline: map[string]string{}} }

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) put(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(name string) string {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(data)
}

func (w *world) has(name string) bool {
	_, err := os.Lstat(w.path(name))
	return err == nil
}

// did writes down one deed, and says whether it fails.
func (w *world) did(format string, args ...any) error {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), w.dir, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, text)
	for prefix, err := range w.fails {
		if strings.HasPrefix(text, prefix) {
			return err
		}
	}
	return nil
}

func (w *world) Mount(source, target, kind string, _ uintptr, options string) error {
	return w.did("mount %s %s %s %s", source, target, kind, options)
}

func (w *world) Unmount(target string) error { return w.did("unmount %s", target) }

func (w *world) Insert(file string) error { return w.did("insert %s", file) }

func (w *world) DeviceEvent(limit time.Duration) bool {
	if len(w.events) == 0 {
		w.now = w.now.Add(limit)
		return false
	}
	w.events[0]()
	w.events = w.events[1:]
	return true
}

func (w *world) Partition(disk string, c gpt.Change, sector int64) error {
	name := disk[len("/dev/"):] + fmt.Sprint(c.Number)
	if c.New {
		w.put("sys/class/block/"+name+"/partition", fmt.Sprint(c.Number))
		w.put("dev/"+name, "")
		os.Truncate(w.path("dev/"+name), int64(c.Sectors())*sector)
	}
	return w.did("partition %s %v %d+%d MiB", name, c.New, int64(c.First)*sector/mib, int64(c.Sectors())*sector/mib)
}

func (w *world) Verity(name string, s verity.Superblock, params string) (major, minor uint32, err error) {
	w.put("sys/class/block/dm-0/dev", "253:0\n")
	return 253, 0, w.did("verity %s %s", name, params)
}

func (w *world) Enter(dir string) error { return w.did("enter %s", dir) }

func (w *world) Run(out io.Writer, argv ...string) error {
	line := strings.Join(argv, " ")
	if err := w.did("run %s", line); err != nil {
		return err
	}
	for words, run := range w.runs {
		if strings.Contains(line, words) {
			return run(out)
		}
	}
	return nil
}

func (w *world) Start(_ io.Writer, argv ...string) (func(), error) {
	name := filepath.Base(argv[0])
	if name == "systemd-udevd" {
		w.put("run/udev/control", "")
	}
	return func() { w.did("stop %s", name) }, w.did("start %s", name)
}

func (w *world) Sync(path string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.syncs == 0 {
		return errors.New("power cut")
	}
	w.syncs--
	return nil
}

func (w *world) Exec(argv ...string) error {
	return errors.Join(w.did("exec %s", strings.Join(argv, " ")), errExec)
}

// errExec is how a boot ends here that has gone well.
var errExec = errors.New("systemd runs")

func (w *world) Restart()              {}
func (w *world) Now() time.Time        { return w.now }
func (w *world) Sleep(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) Random(b []byte) {
	for i := range b {
		b[i] = 0x5a
	}
}

// exit is how a program ended.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
func (e exit) ExitCode() int { return int(e) }

// says demands words on every console and in the kernel's log.
func (w *world) says(words ...string) {
	w.t.Helper()
	for _, where := range []string{"dev/tty0", "dev/ttyS0", "dev/kmsg"} {
		for _, word := range words {
			if text := w.get(where); !strings.Contains(text, word) {
				w.t.Errorf("%s does not say %q:\n%s", where, word, text)
			}
		}
	}
}

// loader has the boot loader say a partition, as systemd-boot stores it: attributes, then UTF-16 with a zero at its end.
func (w *world) loader(text string) {
	b := []byte{6, 0, 0, 0}
	for _, u := range utf16.Encode([]rune(text + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	w.put("sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", string(b))
}

// part is one partition of a disk of the world's.
type part struct{ kind, guid, name string }

// image are the partitions of an image as it ships.
func image(esp string) []part {
	return []part{{gpt.TypeESP, esp, "esp"}, {gpt.TypeRoot, dataGUID, "root-a"}, {gpt.TypeVerity, treeGUID, "verity-a"}}
}

// addDisk adds a disk of 600 MiB with partitions of 4 MiB each, after the first.
func (w *world) addDisk(name string, parts []part) {
	w.t.Helper()
	const size = 600 * mib
	w.put("sys/class/block/"+name+"/size", fmt.Sprint(size/512))
	w.put("sys/class/block/"+name+"/queue/logical_block_size", "512")
	w.put("dev/"+name, "")
	entries := make([]byte, 128*128)
	for i, p := range parts {
		e := entries[i*128:]
		copy(e, mixed(p.kind))
		copy(e[16:], mixed(p.guid))
		binary.LittleEndian.PutUint64(e[32:], uint64((1+4*i)*mib/512))
		binary.LittleEndian.PutUint64(e[40:], uint64((5+4*i)*mib/512-1))
		for j, u := range utf16.Encode([]rune(p.name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], u)
		}
		at := disk{name: name}.part(i + 1)
		w.put("sys/class/block/"+at+"/partition", fmt.Sprint(i+1))
		w.put("sys/class/block/"+at+"/dev", fmt.Sprintf("254:%d", i+1))
		w.put("dev/"+at, "")
	}
	header := make([]byte, 92)
	copy(header, "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
	for at, v := range map[int]uint64{24: 1, 32: size/512 - 1, 40: 34, 48: size/512 - 34, 72: 2} {
		binary.LittleEndian.PutUint64(header[at:], v)
	}
	for at, v := range map[int]uint32{80: 128, 84: 128, 88: crc32.ChecksumIEEE(entries)} {
		binary.LittleEndian.PutUint32(header[at:], v)
	}
	binary.LittleEndian.PutUint32(header[16:], crc32.ChecksumIEEE(header))
	f, err := os.OpenFile(w.path("dev/"+name), os.O_RDWR, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	f.Truncate(size)
	f.WriteAt(header, 512)
	f.WriteAt(entries, 1024)
}

// mixed is a GUID as GPT stores it.
func mixed(guid string) []byte {
	var b [16]byte
	raw := make([]byte, 16)
	for i, digits := 0, strings.ReplaceAll(guid, "-", ""); i < 16; i++ {
		fmt.Sscanf(digits[2*i:2*i+2], "%02x", &raw[i])
	}
	copy(b[:], raw)
	for _, group := range [][2]int{{0, 4}, {4, 6}, {6, 8}} {
		slices.Reverse(b[group[0]:group[1]])
	}
	return b[:]
}

// superblock is that of the root's hash tree.
func superblock() string {
	b := make([]byte, 4096)
	copy(b, "verity\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00uuid-of-16-bytessha256")
	binary.LittleEndian.PutUint32(b[64:], 4096)
	binary.LittleEndian.PutUint32(b[68:], 4096)
	binary.LittleEndian.PutUint64(b[72:], 1000)
	return string(b)
}
