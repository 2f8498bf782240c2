//go:build !race

package writelog_test

const thin = 1
