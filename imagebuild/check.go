package imagebuild

import (
	"context"
)

func (b *builder) checkKernel(ctx context.Context) error { return nil }
