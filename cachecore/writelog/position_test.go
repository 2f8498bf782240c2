package writelog

import "testing"

// Every unit of the largest log that there can be has positions of its own.
func TestAPositionHasTheLastUnitOfTheLargestLog(t *testing.T) {
	for _, segment := range []int64{0, minUnits * unit, 1000 * unit, maxUnits * unit} {
		for size := int64(unit)<<unitBits + 2*maxUnits*unit; ; size -= unit {
			g, err := divide(size, segment)
			if err != nil {
				continue
			}
			last := frontUnits + g.segments*g.units - 1
			if lap, at, in := position(1, last, 5).split(); lap != 1 || at != last || in != 5 {
				t.Errorf("a log of %d bytes in segments of %d units: unit %d of lap 1 is taken for %d of %d", size, g.units, last, at, lap)
			}
			break
		}
	}
}
