package qcow2

import (
	"fmt"

	"github.com/klauspost/compress/flate"

	"slipway/imagebuild/qcow2/zframe"
	"slipway/internal/grain"
)

// The cheapest levels whose files are about as small as those of qemu-img, which uses zlib at 6 with a window of 4 KiB.
// The window here is the whole cluster.
const (
	deflateLevel = 6
	deflateHard  = 7 // for what deflateLevel hardly shrinks
)

// worthwhile is the largest encoding that is stored as a compressed cluster: one that saves less than 1/128 would cost
// each reader the decoding, for nothing.
const worthwhile = clusterSize - clusterSize/128

// newEncoder makes encoders that give nil for a cluster that is better stored as it is.
func (c Compression) newEncoder() (grain.Encoder, error) {
	var pack grain.Encoder
	var err error
	switch c {
	case Zlib:
		pack, err = deflater()
	case Zstd:
		pack = zframe.New().Append
	default:
		return nil, fmt.Errorf("unknown %s", c)
	}
	if err != nil {
		return nil, err
	}
	return func(dst, cluster []byte) ([]byte, error) {
		if !grain.Compressible(cluster) {
			return nil, nil
		}
		out, err := pack(dst, cluster)
		if err != nil || len(out) > worthwhile {
			return nil, err
		}
		return out, nil
	}, nil
}

// deflater deflates. Up to level 6, this deflate gives up early on data with few and short repeats, such as text in
// base64 or what LZ4 made, and misses what the frequency of bytes alone would save: there it tries the next level.
func deflater() (grain.Encoder, error) {
	quick, err := deflate(deflateLevel)
	if err != nil {
		return nil, err
	}
	hard, err := deflate(deflateHard)
	if err != nil {
		return nil, err
	}
	var second []byte
	return func(dst, cluster []byte) ([]byte, error) {
		out, err := quick(dst, cluster)
		if err != nil || len(out) < clusterSize*3/4 {
			return out, err
		}
		if second, err = hard(second[:0], cluster); err == nil && len(second) < len(out) {
			out = append(dst, second...)
		}
		return out, err
	}, nil
}

func deflate(level int) (grain.Encoder, error) {
	var out appender
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		return nil, err
	}
	return func(dst, cluster []byte) ([]byte, error) {
		out = dst
		w.Reset(&out)
		if _, err := w.Write(cluster); err != nil {
			return nil, err
		}
		err := w.Close()
		return out, err
	}, nil
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}
