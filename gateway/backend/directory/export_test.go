package directory

// CountLoss changes the verifier as lost data does, without a note of it in the folder.
func (d *Directory) CountLoss() {
	d.verifier.mu.Lock()
	defer d.verifier.mu.Unlock()
	d.verifier.mu.lost++
}
